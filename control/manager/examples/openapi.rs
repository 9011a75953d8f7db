//! Prints the OpenAPI document of the API: `cargo run -p inlay-manager --example openapi > control/manager/openapi.json`.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    io::stdout().write_all(inlay_manager::http::document_text().as_bytes())
}
