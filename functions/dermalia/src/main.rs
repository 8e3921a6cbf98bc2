//! dermalia
fn main() {}
