//! What the BPF object must not hold.

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

/// Bytes of the stack that one function takes. A chain of calls has 512, which the verifier sees to; this
/// leaves room for those that a function calls.
const STACK_BYTES_MAX: i64 = 320;

fn object() -> object::File<'static> {
    object::File::parse(inlay_dataplane::OBJECT).expect("the object is ELF")
}

#[test]
fn no_symbol_of_the_object_panics() {
    let object = object();
    let names: Vec<&str> = object
        .symbols()
        .filter_map(|symbol| symbol.name().ok())
        .collect();
    assert!(
        names.contains(&"inlay_outbound") && names.contains(&"inlay_inbound"),
        "{names:?}"
    );
    // The handler that the language asks for is there in no object without a panic.
    let panics: Vec<&&str> = names.iter().filter(|name| name.contains("panic")).collect();
    assert!(panics.is_empty(), "{panics:?}");
}

#[test]
fn the_licence_is_one_that_the_kernel_takes() {
    let object = object();
    let section = object
        .section_by_name("license")
        .expect("there is a section `license`");
    assert_eq!(section.data().expect("it has data"), b"Dual MIT/GPL\0");
}

/// The deepest access below the frame pointer, in every function: loads and stores through r10, and
/// addresses made from it.
#[test]
fn no_function_takes_more_stack_than_there_is() {
    let object = object();
    let functions = object
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text);
    let mut deepest = Vec::new();
    for symbol in functions.filter(|symbol| symbol.size() > 0) {
        let Some(index) = symbol.section_index() else {
            continue;
        };
        let section = object
            .section_by_index(index)
            .expect("a symbol's section exists");
        let data = section.data().expect("code has data");
        let start = usize::try_from(symbol.address()).expect("code fits");
        let code = &data[start..start + usize::try_from(symbol.size()).expect("code fits")];
        deepest.push((
            stack_bytes(code),
            symbol.name().unwrap_or_default().to_owned(),
        ));
    }
    deepest.sort();
    println!("{deepest:?}");
    let (bytes, name) = deepest.last().expect("there are functions");
    assert!(*bytes <= STACK_BYTES_MAX, "{name} takes {bytes} bytes");
}

/// Bytes below r10 that a function's instructions name.
fn stack_bytes(code: &[u8]) -> i64 {
    const FRAME_POINTER: u8 = 10;
    let mut deepest = 0i64;
    let mut copies = [false; 16];
    for instruction in code.chunks_exact(8) {
        let (opcode, registers) = (instruction[0], instruction[1]);
        let (target, source) = (registers & 0xf, registers >> 4);
        let offset = i64::from(i16::from_le_bytes([instruction[2], instruction[3]]));
        let immediate = i64::from(i32::from_le_bytes([
            instruction[4],
            instruction[5],
            instruction[6],
            instruction[7],
        ]));
        let at = match opcode & 7 {
            // Loads into a register; stores.
            1 if source == FRAME_POINTER => offset,
            2 | 3 if target == FRAME_POINTER => offset,
            // `r = r10`, then `r += immediate`.
            7 if opcode == 0x07 && copies[usize::from(target)] => immediate,
            _ => 0,
        };
        copies[usize::from(target)] = opcode == 0xbf && source == FRAME_POINTER;
        deepest = deepest.max(-at);
    }
    deepest
}
