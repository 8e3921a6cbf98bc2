//! dermalia-upload
