//! What the command prints, in its three forms: golden files in tests/lint. `UPDATE_GOLDEN=1` writes them.
