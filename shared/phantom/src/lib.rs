//! dermalia-phantom
