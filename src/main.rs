//! The `hotplate` command; everything it does lives in [`hotplate::cli`].

fn main() -> std::process::ExitCode {
    hotplate::cli::main()
}
