//! Chance, as the code may see it. The shipped binary asks the operating system; a seeded
//! source lives in the test harness.

/// Makes bytes that nobody can foretell.
pub trait Randomness: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's cryptographic generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandomness;

impl Randomness for OsRandomness {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where ambient randomness enters")]
    #[expect(clippy::panic, reason = "without randomness no key is safe, and there is nothing to fall back to")]
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            panic!("the operating system gave no random bytes: {error}");
        }
    }
}
