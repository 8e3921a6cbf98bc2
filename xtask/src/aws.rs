//! What is deployed on AWS: its templates linted, its functions built and measured, and the
//! whole of it tested over the wire, against emulators.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command;
use crate::python::venv;

/// An emulation of AWS; SAM and the linter of its specification.
const STACK: &[&str] = &[
    "aws-sam-cli==1.167.0",
    "aws-sam-translator==1.113.0",
    "botocore==1.43.106",
    "cfn-lint==1.53.3",
    "cryptography",
    "ministack==1.5.33",
];
/// The linter of policies. Apart from the others: it wants other versions of the same.
const CHECKOV: &[&str] = &["checkov==3.3.30"];

/// The functions: their packages, and their programs there.
const FUNCTIONS: &[(&str, &str)] = &[
    ("dermalia-access", "access"),
    ("dermalia-analyze", "analyze"),
    ("dermalia-expire", "expire"),
    ("dermalia-report-function", "report"),
    ("dermalia-rights", "rights"),
    ("dermalia-sweep", "sweep"),
    ("dermalia-upload", "upload"),
];
/// What Lambda takes, unpacked.
const MAX_FUNCTION_BYTES: u64 = 250 << 20;

/// Part of the test command.
pub(crate) fn test() -> Result<()> {
    let stack = venv("aws", STACK)?;
    let checkov = venv("checkov", CHECKOV)?;
    // First, because the template names the folders of the functions.
    build()?;
    lint(&stack, &checkov)?;
    run_tests(&stack, |cargo| cargo)
}

/// Prints how long each function takes from its start to its first answer.
pub(crate) fn bench_cold_start() -> Result<()> {
    build()?;
    run_tests(&venv("aws", STACK)?, |cargo| {
        cargo.args(["--", "--ignored", "--nocapture", "cold_start"])
    })
}

/// Runs the tests against emulators. Of the whole workspace, so that nothing is built anew
/// for other features.
fn run_tests(stack: &Path, more: impl Fn(&mut Command) -> &mut Command) -> Result<()> {
    let dynamodb = dynamodb()?;
    let bundle = bundle()?;
    let mut cargo = Command::new(command::cargo_program());
    cargo
        .args(["test", "--release", "--locked", "--workspace"])
        .args(["--test", "aws"])
        .env("DERMALIA_MINISTACK", stack.join("ministack"))
        .env("DERMALIA_SAM", stack.join("sam"))
        .env("DERMALIA_DYNAMODB", dynamodb)
        .env("DERMALIA_FUNCTIONS", functions_folder())
        .env("DERMALIA_COMMAND", command::dermalia()?)
        .env("DERMALIA_BUNDLE", bundle);
    command::run(more(&mut cargo))
}

/// Where the template expects the functions.
fn functions_folder() -> PathBuf {
    command::root().join("infra/build")
}

/// Builds the functions for this machine's architecture into `infra/build`, as the
/// template expects them, and prints their sizes. In one go and of the whole workspace, so
/// that nothing that they share is built twice.
pub(crate) fn build() -> Result<()> {
    let mut cargo = Command::new(command::cargo_program());
    cargo.args(["build", "--release", "--locked", "--workspace"]);
    cargo.args(["--features", "dermalia-report-function/pdf"]);
    for (package, program) in FUNCTIONS {
        cargo.args(["--features", &format!("{package}/lambda")]);
        cargo.args(["--bin", program]);
    }
    command::run(&mut cargo)?;
    for (_, function) in FUNCTIONS {
        let folder = functions_folder().join(function);
        std::fs::create_dir_all(&folder)?;
        // Under another name first: a function that is running keeps its file.
        let part = folder.join("bootstrap.part");
        let program = command::target().join("release").join(function);
        std::fs::copy(&program, &part).with_context(|| format!("{}", program.display()))?;
        if command::exists("strip") {
            command::run(Command::new("strip").arg(&part))?;
        }
        std::fs::rename(&part, folder.join("bootstrap"))?;
        let bytes = std::fs::metadata(folder.join("bootstrap"))?.len();
        ensure!(bytes < MAX_FUNCTION_BYTES, "{function} is too large");
        let zip = zipped_bytes(&folder)?;
        let [bytes, zip] = [bytes, zip].map(megabytes);
        eprintln!("{function:>8}  {bytes:>5.1} MB, {zip:>5.1} MB as a zip");
    }
    Ok(())
}

fn megabytes(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a size to be read by people")]
    let bytes = bytes as f64;
    bytes / 1e6
}

/// The size of a function as it is sent to Lambda.
fn zipped_bytes(folder: &Path) -> Result<u64> {
    const SCRIPT: &str = "import io, sys, zipfile\n\
        file = io.BytesIO()\n\
        with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as archive:\n\
        \x20   archive.write(sys.argv[1], 'bootstrap')\n\
        print(len(file.getvalue()))\n";
    let output = Command::new("python3")
        .args(["-c", SCRIPT])
        .arg(folder.join("bootstrap"))
        .output()?;
    ensure!(output.status.success(), "a function could not be zipped");
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// The files of a small synthetic scan.
fn bundle() -> Result<PathBuf> {
    let folder = command::target().join("aws-bundle");
    command::run(
        Command::new(command::dermalia()?)
            .args(["phantom", "--seed", "1", "--size", "512", "--out"])
            .arg(&folder),
    )?;
    Ok(folder.join("bundle"))
}

/// The templates are what SAM, the specification's linter and the policies' linter accept;
/// what is suppressed there says why.
fn lint(stack: &Path, checkov: &Path) -> Result<()> {
    command::run(
        Command::new(stack.join("sam"))
            .args(["validate", "--lint", "--config-env", "dev"])
            .env("AWS_DEFAULT_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("SAM_CLI_TELEMETRY", "0"),
    )?;
    let template = |name: &str| command::root().join("infra").join(name);
    every_right_is_explained(&template("template.yaml"), &template("IAM.md"))?;
    command::run(
        Command::new(stack.join("cfn-lint"))
            .arg(template("template.yaml"))
            .arg(template("budget.yaml")),
    )?;
    command::run(
        Command::new(checkov.join("checkov"))
            .args(["--directory", "infra", "--framework", "cloudformation"])
            .args(["--skip-download", "--compact", "--quiet"]),
    )
}

/// Every statement of a policy in the template stands in the table of rights by its name.
fn every_right_is_explained(template: &Path, table: &Path) -> Result<()> {
    let (template, table) = (read(template)?, read(table)?);
    let is_name = |c: char| c.is_ascii_alphanumeric();
    let known: Vec<&str> = table.split(|c| !is_name(c)).collect();
    for rest in template.split("Sid: ").skip(1) {
        let name = rest.split(|c| !is_name(c)).next().unwrap_or_default();
        ensure!(
            known.contains(&name),
            "IAM.md does not say what `{name}` is for"
        );
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))
}

/// The emulator of DynamoDB, built once for each change of its lock file.
fn dynamodb() -> Result<PathBuf> {
    let build = command::target().join("dynamodb");
    command::run_in(
        &command::root().join("tests/dynamodb"),
        Command::new(command::cargo_program())
            .args(["build", "--release", "--locked"])
            .env("CARGO_TARGET_DIR", &build),
    )?;
    Ok(build.join("release/dynamodb"))
}
