//! The two drivers, and the macro that makes one scenario a test of each.

use std::io::Write as _;
use std::sync::OnceLock;

/// Which driver a server under test is told to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    IoUring,
    Epoll,
}

impl Driver {
    /// The config's name for the driver.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::IoUring => "io_uring",
            Self::Epoll => "epoll",
        }
    }

    /// Whether the kernel lets this process use the driver at all; says so on the real stderr, past the test runner's
    /// capture, where it does not, so that a skipped half is never mistaken for a passed one.
    pub(crate) fn is_permitted(self, scenario: &str) -> bool {
        static RING: OnceLock<bool> = OnceLock::new();
        let permitted =
            self == Self::Epoll || *RING.get_or_init(|| io_uring::IoUring::new(8).is_ok());
        if !permitted {
            writeln!(
                std::io::stderr(),
                "skipped on io_uring, which this kernel forbids: {scenario}"
            )
            .expect("stderr takes a line");
        }
        permitted
    }
}

/// Makes a scenario two tests, `name::io_uring` and `name::epoll`. The body gets `&mut Server`, started with what the
/// setup function returns.
macro_rules! on_both_drivers {
    ($name:ident, $setup:expr, |$server:ident| $body:block) => {
        fn $name($server: &mut $crate::harness::Server) $body

        mod $name {
            fn run(driver: $crate::harness::Driver) {
                if driver.is_permitted(module_path!()) {
                    let setup: fn() -> $crate::harness::Setup = {
                        #[allow(
                            unused_imports,
                            clippy::allow_attributes,
                            reason = "a setup may name nothing of the module"
                        )]
                        use super::*;
                        $setup
                    };
                    super::$name(&mut setup().start(driver));
                }
            }

            #[test]
            fn io_uring() {
                run($crate::harness::Driver::IoUring);
            }

            #[test]
            fn epoll() {
                run($crate::harness::Driver::Epoll);
            }
        }
    };
}
