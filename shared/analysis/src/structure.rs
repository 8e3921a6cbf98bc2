//! The structure signal: what is dark because it is deep.
