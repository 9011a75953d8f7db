//! scratch
use aya::{EbpfLoader, programs::Xdp};
fn main() {
    let t = std::time::Instant::now();
    let mut e = EbpfLoader::new().load(inlay_dataplane::OBJECT).unwrap();
    println!("maps {:?}", t.elapsed());
    for n in ["inlay_outbound", "inlay_inbound", "inlay_pass"] {
        let t = std::time::Instant::now();
        let p: &mut Xdp = e.program_mut(n).unwrap().try_into().unwrap();
        match p.load() {
            Ok(()) => { let i = p.info().unwrap(); println!("{n}: insns {} verified {} jited {} in {:?}", i.size_translated().unwrap_or(0)/8, i.verified_instruction_count().unwrap_or(0), i.size_jitted(), t.elapsed()); }
            Err(err) => { let t=format!("{err:#?}"); let l: Vec<_>=t.lines().collect(); println!("{n}:\n{}", l[l.len().saturating_sub(60)..].join("\n")); }
        }
    }
    let mut total = 0u64;
    for (n, m) in e.maps() {
        use aya::maps::Map::*;
        let d = match m { Array(d)|PerCpuArray(d)|HashMap(d)|DevMap(d)|RingBuf(d)=>d, _=>continue };
        let f = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(d.fd())))).unwrap();
        let ml: u64 = f.lines().find_map(|l| l.strip_prefix("memlock:")).unwrap().trim().parse().unwrap();
        total += ml; println!("{n:16} {ml}");
    }
    println!("total {} MiB", total as f64/1048576.0);
}
