//! Pores.
