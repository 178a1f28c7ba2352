//! The `tapestry` command.

fn main() -> anyhow::Result<()> {
    Ok(())
}
