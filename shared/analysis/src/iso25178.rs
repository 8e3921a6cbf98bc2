//! Height parameters of ISO 25178-2.
