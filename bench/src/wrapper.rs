//! Runs a program many times through the wrapper of `dataplane-ebpf/src/bench.rs`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf, EbpfLoader, TestRun as _, TestRunOptions,
    maps::{Array, ProgramArray},
    programs::{ProgramFd, Xdp},
};

/// Bytes that the wrapper restores.
pub(crate) const HEAD: usize = 96;

/// The layout of `Plan` in the wrapper.
#[repr(C)]
#[derive(Clone, Copy)]
struct Plan {
    len_bytes: u32,
    ports_at: u32,
    flows_mask: u32,
    is_inbound: u32,
    head: [u8; HEAD],
}

// SAFETY: `repr(C)` over integers without padding, valid in every bit pattern.
unsafe impl aya::Pod for Plan {}

/// A packet, and where its flow is varied.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    /// The frame, at least [`HEAD`] bytes.
    pub frame: Vec<u8>,
    /// Offset of the word with both transport ports; 0 for one flow.
    pub ports_at: u32,
    /// Flows, a power of two.
    pub flows: u32,
    /// Whether it comes from the substrate.
    pub is_inbound: bool,
    /// The interface that it comes from.
    pub interface_index: u32,
}

/// `struct xdp_md`, as `BPF_PROG_TEST_RUN` takes it.
#[repr(C)]
struct XdpMd {
    data: u32,
    data_end: u32,
    data_meta: u32,
    ingress_ifindex: u32,
    rx_queue_index: u32,
    egress_ifindex: u32,
}

/// The wrapper, loaded.
pub(crate) struct Wrapper {
    ebpf: Ebpf,
}

impl Wrapper {
    /// Loads it.
    pub(crate) fn load() -> Result<Self> {
        let mut ebpf = EbpfLoader::new().load(inlay_dataplane::BENCH_OBJECT)?;
        for name in [
            "bench_wrapper",
            "bench_empty",
            "bench_translate_outbound",
            "bench_translate_inbound",
        ] {
            program(&mut ebpf, name)?
                .load()
                .with_context(|| format!("load {name}"))?;
        }
        Ok(Self { ebpf })
    }

    /// One of its own programs.
    pub(crate) fn own(&mut self, name: &str) -> Result<ProgramFd> {
        Ok(program(&mut self.ebpf, name)?.fd()?.try_clone()?)
    }

    /// Nanoseconds a packet of `stream` through `target`, the wrapper included, and the action.
    pub(crate) fn run(
        &mut self,
        target: &ProgramFd,
        stream: &Stream,
        repeat: u32,
    ) -> Result<(Duration, u32)> {
        self.prepare(target, stream)?;
        let context = XdpMd {
            data: 0,
            data_end: u32::try_from(stream.frame.len())?,
            data_meta: 0,
            ingress_ifindex: stream.interface_index,
            rx_queue_index: 0,
            egress_ifindex: 0,
        };
        // SAFETY: six words without padding.
        let context = unsafe {
            std::slice::from_raw_parts((&raw const context).cast::<u8>(), size_of::<XdpMd>())
        };
        let result = program(&mut self.ebpf, "bench_wrapper")?.test_run(TestRunOptions {
            data_in: Some(&stream.frame),
            ctx_in: Some(context),
            repeat,
            ..Default::default()
        })?;
        Ok((result.duration, result.return_value))
    }

    fn prepare(&mut self, target: &ProgramFd, stream: &Stream) -> Result<()> {
        ensure!(stream.frame.len() >= HEAD && stream.flows.is_power_of_two());
        let mut head = [0; HEAD];
        head.copy_from_slice(&stream.frame[..HEAD]);
        let plan = Plan {
            len_bytes: u32::try_from(stream.frame.len())?,
            ports_at: stream.ports_at,
            flows_mask: stream.flows - 1,
            is_inbound: u32::from(stream.is_inbound),
            head,
        };
        let mut plans: Array<_, Plan> = self.ebpf.map_mut("PLAN").context("PLAN")?.try_into()?;
        plans.set(0, plan, 0)?;
        let mut targets: ProgramArray<_> =
            self.ebpf.map_mut("TARGET").context("TARGET")?.try_into()?;
        targets.set(0, target, 0)?;
        Ok(())
    }
}

/// A program of an object.
pub(crate) fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    Ok(ebpf
        .program_mut(name)
        .with_context(|| format!("no program {name}"))?
        .try_into()?)
}
