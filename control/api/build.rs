//! Compiles the protocol's schema: protox reads it, so that nobody needs protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto/agent.proto");
    let schema = protox::compile(["proto/agent.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .bytes(".inlay.agent.v1.Update.changes")
        .bytes(".inlay.agent.v1.Change.value")
        .compile_fds(schema)?;
    Ok(())
}
