//! The toolchain for wasm32: rustup's where rustup can add the target, else
//! Debian's compiler with a standard library that is built once.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::{cache, command};

/// The target of the Worker.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Set to `debian` to take Debian's compiler even where rustup would do.
const CHOICE: &str = "DERMALIA_WASM_TOOLCHAIN";

/// Debian's compiler, its cargo, the library's source, and a linker for wasm.
const DEBIAN_PACKAGES: [&str; 5] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "rust-web-llvm",
    "lld",
];

/// A cargo that builds for wasm32.
pub(crate) struct Toolchain {
    /// Goes in front of PATH: the folder of this toolchain's cargo and rustc.
    programs: Option<PathBuf>,
}

impl Toolchain {
    /// A command that finds this toolchain's cargo and rustc first.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Result<Command> {
        let mut command = Command::new(program);
        if let Some(programs) = &self.programs {
            command
                .env("PATH", in_front_of_path(programs)?)
                .env("CARGO", programs.join("cargo"))
                .env("RUSTC", programs.join("rustc"))
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld")
                // Neither compiler should meet what the other one built.
                .env("CARGO_TARGET_DIR", command::root().join("target/debian"))
                .env_remove("RUSTUP_TOOLCHAIN");
        }
        Ok(command)
    }

    /// A command for this toolchain's cargo.
    pub(crate) fn cargo(&self) -> Result<Command> {
        match &self.programs {
            Some(programs) => self.command(programs.join("cargo")),
            None => self.command(command::cargo_program()),
        }
    }
}

/// Part of the test command: signed links compile for the edge's target.
pub(crate) fn check_link() -> Result<()> {
    let toolchain = ensure_wasm_toolchain()?;
    command::run(toolchain.cargo()?.args([
        "build",
        "--release",
        "--package",
        "dermalia-link",
        "--target",
        TARGET,
        "--locked",
    ]))
}

/// Makes sure that something on this machine builds for wasm32. The first
/// time this may install; afterwards it takes a moment.
pub(crate) fn ensure_wasm_toolchain() -> Result<Toolchain> {
    let forced = std::env::var(CHOICE).is_ok_and(|choice| choice == "debian");
    if !forced && (has_target() || rustup_adds_target()) {
        return Ok(Toolchain { programs: None });
    }
    let programs = debian_toolchain().with_context(|| {
        format!(
            "there is no compiler for {TARGET}: rustup cannot add the target, and Debian's \
             compiler could not be set up either"
        )
    })?;
    Ok(Toolchain {
        programs: Some(programs),
    })
}

/// Whether the compiler in use has the target's standard library.
fn has_target() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    output(Command::new(rustc).args(["--print", "sysroot"]))
        .is_ok_and(|sysroot| holds_std(&library_dir(Path::new(&sysroot))))
}

fn rustup_adds_target() -> bool {
    if !command::exists("rustup") {
        return false;
    }
    match command::run(Command::new("rustup").args(["target", "add", TARGET])) {
        Ok(()) => has_target(),
        Err(error) => {
            eprintln!("{error:#}: falling back to Debian's compiler");
            false
        }
    }
}

/// The folder of a cargo and a rustc whose system root has the target.
fn debian_toolchain() -> Result<PathBuf> {
    let rustc = Path::new("/usr/bin/rustc");
    let source = Path::new("/usr/lib/rustlib/src/rust/library");
    if !(rustc.exists()
        && Path::new("/usr/bin/cargo").exists()
        && source.exists()
        && command::exists("wasm-ld"))
    {
        install_debian_packages()?;
    }
    for needed in [rustc, Path::new("/usr/bin/cargo"), source] {
        ensure!(
            needed.exists(),
            "{} is still missing after the installation",
            needed.display()
        );
    }
    let version = output(Command::new(rustc).arg("--version"))?;
    let number = version
        .split(' ')
        .nth(1)
        .context("rustc states no version")?;
    let cached = cache::dir()?.join(format!("wasm-std-{number}"));
    let sysroot = cached.join("sysroot");
    if !cached.join("bin/rustc").exists() {
        eprintln!("building the standard library of {version} for {TARGET} (once; about a minute)");
        build_std(rustc, &cached.join("build"), &library_dir(&sysroot))?;
        mirror_host(&sysroot)?;
        write_programs(rustc, &sysroot, &cached.join("bin"))?;
        std::fs::remove_dir_all(cached.join("build"))?;
    }
    Ok(cached.join("bin"))
}

fn install_debian_packages() -> Result<()> {
    if !command::exists("apt-get") {
        bail!(
            "this machine has neither a working rustup nor apt-get; install Rust's {TARGET} \
             target (for instance with `rustup target add {TARGET}`) and run the command again"
        );
    }
    let is_root = output(Command::new("id").arg("-u"))?.trim() == "0";
    let mut install = if is_root {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["--non-interactive", "apt-get"]);
        sudo
    };
    install
        .args(["install", "--yes", "--no-install-recommends"])
        .args(DEBIAN_PACKAGES);
    command::run(install.env("DEBIAN_FRONTEND", "noninteractive")).with_context(|| {
        format!(
            "please run `apt-get update && apt-get install {}` as root and then this command again",
            DEBIAN_PACKAGES.join(" ")
        )
    })
}

/// Builds an empty library together with the standard library, and keeps the
/// latter's parts.
fn build_std(rustc: &Path, build: &Path, library: &Path) -> Result<()> {
    std::fs::create_dir_all(build.join("src"))?;
    std::fs::write(build.join("src/lib.rs"), "")?;
    std::fs::write(
        build.join("Cargo.toml"),
        "[package]\nname = \"nothing\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n",
    )?;
    command::run_in(
        build,
        Command::new("/usr/bin/cargo")
            .args([
                "build",
                "--release",
                "-Zbuild-std=std,panic_abort",
                "--target",
                TARGET,
            ])
            .env("RUSTC", rustc)
            // Lets a stable compiler build its own standard library.
            .env("RUSTC_BOOTSTRAP", "1")
            // Without it, link-time optimisation later lacks the library's bitcode.
            .env("RUSTFLAGS", "-Cembed-bitcode=yes")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld")
            .env("CARGO_TARGET_DIR", build.join("target"))
            .env_remove("RUSTUP_TOOLCHAIN"),
    )?;
    std::fs::create_dir_all(library)?;
    let built = build.join("target").join(TARGET).join("release/deps");
    for entry in std::fs::read_dir(&built)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libnothing") {
            std::fs::copy(&path, library.join(&name))?;
        }
    }
    ensure!(
        holds_std(library),
        "the build left no standard library in {}",
        built.display()
    );
    Ok(())
}

/// Lets the system root serve the host too, for build scripts and macros.
fn mirror_host(sysroot: &Path) -> Result<()> {
    let rustlib = sysroot.join("lib/rustlib");
    for entry in std::fs::read_dir("/usr/lib/rustlib")? {
        let entry = entry?;
        let link = rustlib.join(entry.file_name());
        if !link.exists() {
            std::os::unix::fs::symlink(entry.path(), link)?;
        }
    }
    Ok(())
}

/// Writes the two programs last: their presence says that the rest is whole.
fn write_programs(rustc: &Path, sysroot: &Path, bin: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    std::fs::create_dir_all(bin)?;
    let cargo = bin.join("cargo");
    if !cargo.exists() {
        std::os::unix::fs::symlink("/usr/bin/cargo", cargo)?;
    }
    let script = format!(
        "#!/bin/sh\nexec '{}' --sysroot '{}' \"$@\"\n",
        rustc.display(),
        sysroot.display()
    );
    let unfinished = bin.join("rustc.unfinished");
    std::fs::write(&unfinished, script)?;
    std::fs::set_permissions(&unfinished, std::fs::Permissions::from_mode(0o755))?;
    std::fs::rename(&unfinished, bin.join("rustc"))?;
    Ok(())
}

fn library_dir(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TARGET).join("lib")
}

fn holds_std(library: &Path) -> bool {
    std::fs::read_dir(library).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|e| e.file_name().to_string_lossy().starts_with("libstd-"))
    })
}

fn in_front_of_path(folder: &Path) -> Result<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_path_buf()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).context("PATH cannot be extended")
}

/// What a program prints, without the line end.
fn output(command: &mut Command) -> Result<String> {
    let result = command
        .current_dir(command::root())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
    ensure!(
        result.status.success(),
        "{} ended with {}",
        command.get_program().to_string_lossy(),
        result.status
    );
    Ok(String::from_utf8(result.stdout)?.trim_end().to_owned())
}
