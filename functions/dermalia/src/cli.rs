//! The command line as a user sees it.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use dermalia_report::Locale;

use crate::compare::CompareArgs;

/// Measures skin on 3D scans, writes reports, and runs the whole service on one machine.
#[derive(Parser)]
#[command(name = "dermalia", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Print each step and result as one line of JSON instead of text, for machines.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   our fault, or the machine's: a message on stderr says what failed
  2   the bundle was refused: one JSON object on stderr names the file or field,
      what was expected and what was got
  64  the command line was wrong

Environment:
  DERMALIA_CREDENTIAL   the practice's credential, for `upload`
  RUST_LOG              what is logged to stderr, for example `info` or `dermalia=debug`";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a synthetic scan, upload it as a scanner would, and serve its report.
    ///
    /// Needs no account, no configuration and no network. Every step is printed with its
    /// time; the last line is the signed link. The data lie in a temporary folder, which
    /// is removed at the end, unless --data names one.
    Demo(DemoArgs),
    /// Measure the skin on one scan bundle.
    ///
    /// Writes findings.json, a heat map for each measured parameter, still pictures and
    /// scan.glb. What an earlier run left in the folder is replaced.
    Analyze(AnalyzeArgs),
    /// Say what changed between two scans of one face.
    ///
    /// Measures both, brings the earlier surface onto the later one, and writes change.json
    /// (each measure of each region with the smallest change that two captures of the same
    /// skin do not show by themselves, and what became of each feature) and a map of change
    /// for each parameter, change_*.png: red is more, blue is less. Scans that cannot be
    /// brought onto each other are refused with the reason (exit 2).
    Compare(CompareArgs),
    /// Write the report page from what `analyze` wrote.
    ///
    /// Writes report.html in the chosen language and the other one beside it, the patient's
    /// copy of the findings (data.json) and scan.glb.
    Report(ReportArgs),
    /// Write a report in a form that another system files.
    Export(ExportArgs),
    /// Write a synthetic scan with exactly known truth.
    ///
    /// Writes OUT/bundle/ (or OUT/bundle.zip) and OUT/truth.json beside it.
    Phantom(PhantomArgs),
    /// Run the whole service on this machine: uploads, analysis, reports, links, expiry.
    ///
    /// Scans arrive over HTTP (PUT /upload/PRACTICE/SCAN/FILE, manifest.json last) or as
    /// folders and archives put into DATA/incoming/PRACTICE/. Every state is on disk: a
    /// process that is killed at any moment continues where it was when started again. E-mails
    /// are written to DATA/outbox/.
    Serve(ServeArgs),
    /// Send a bundle to a service, as a scanner or the practice's gateway does.
    ///
    /// The practice's credential, as `practice add` prints it, is read from the variable
    /// DERMALIA_CREDENTIAL or from a file. Files go several at a time, the manifest last; a
    /// broken connection is taken up again, and so is an upload that was stopped, when the
    /// command is run again. What fails its checksum is not taken.
    Upload(UploadArgs),
    /// Issue, show or revoke the signed link of a scan.
    #[command(subcommand)]
    Link(LinkCommand),
    /// Do what a patient asks for: access, rectification, erasure, restriction,
    /// portability, objection (Art. 15 to 21 GDPR).
    #[command(subcommand)]
    Rights(RightsCommand),
    /// Check or show the audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Remove what is due and find what was left behind, in both directions.
    ///
    /// `serve` does it by itself, once an hour.
    Sweep(SweepArgs),
    /// Add a practice, change its terms, or rotate its credential.
    #[command(subcommand)]
    Practice(PracticeCommand),
    /// See what was given up, and bring it back.
    #[command(subcommand)]
    Ops(OpsCommand),
    /// Make the keys that sign links in a deployment.
    #[command(subcommand)]
    Keys(KeysCommand),
}

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Which synthetic patient.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Side of the synthetic scan's pictures in pixels.
    #[arg(long, default_value_t = 2048, value_name = "PX", value_parser = clap::value_parser!(u32).range(512..=8192))]
    pub(crate) size: u32,
    /// Stop after printing the link.
    #[arg(long)]
    pub(crate) no_serve: bool,
    /// Where the page is served.
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
    pub(crate) listen: std::net::SocketAddr,
    /// Keep the data here (as `serve --data` does) instead of in a temporary folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct AnalyzeArgs {
    /// A bundle: a folder with manifest.json, or a .zip of one. A folder that `phantom`
    /// wrote stands for the bundle in it.
    pub(crate) bundle: PathBuf,
    /// Where the results go; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// How many threads; all cores by default. The results do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

/// Takes the tag of each language that there is.
fn locale() -> impl TypedValueParser<Value = Locale> {
    PossibleValuesParser::new(Locale::ALL.iter().map(|l| l.tag()))
        .try_map(|tag| Locale::from_tag(&tag).ok_or("expected the tag of a language of ours"))
}

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// The folder that `analyze` wrote.
    pub(crate) dir: PathBuf,
    /// Language of the page.
    #[arg(long, value_name = "TAG", value_parser = locale(), default_value = "de")]
    pub(crate) locale: Locale,
    /// Where the page and its files go; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The practice's name as printed; its identifier by default.
    #[arg(long, value_name = "NAME")]
    pub(crate) practice: Option<String>,
}

#[derive(Args)]
pub(crate) struct ExportArgs {
    /// The folder that `report` wrote, with the printed report in it.
    pub(crate) dir: PathBuf,
    /// As a DICOM object: Encapsulated PDF, the patient's fields left to the archive.
    #[arg(long, required = true)]
    pub(crate) dicom: bool,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The practice's name as the archive shows it; its identifier by default.
    #[arg(long, value_name = "NAME")]
    pub(crate) practice: Option<String>,
}

#[derive(Args)]
pub(crate) struct PhantomArgs {
    /// Which synthetic patient: same seed, same bytes.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Where it goes; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Write the bundle as one archive.
    #[arg(long)]
    pub(crate) zip: bool,
    /// Side of the pictures in pixels.
    #[arg(long, default_value_t = 2048, value_name = "PX", value_parser = clap::value_parser!(u32).range(256..=8192))]
    pub(crate) size: u32,
    /// Skin tone, from 0 (very light) to 4 (dark).
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=4))]
    pub(crate) tone: u8,
    /// Leave out every feature: clean skin.
    #[arg(long)]
    pub(crate) clean: bool,
    /// The hard set: faint features, hairs, pits too small to be pores, noise.
    #[arg(long)]
    pub(crate) hard: bool,
    /// Leave out the height map.
    #[arg(long)]
    pub(crate) no_relief: bool,
    /// Leave out the landmarks, so that they have to be found.
    #[arg(long)]
    pub(crate) no_landmarks: bool,
}

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Where everything is kept; made with mode 0700 if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Where uploads and reports are served.
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
    pub(crate) listen: std::net::SocketAddr,
    /// Address of the reports as patients see it; the listening address by default.
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
}

#[derive(Args)]
pub(crate) struct UploadArgs {
    /// A bundle: a folder with manifest.json, or a .zip of one. A folder that `phantom`
    /// wrote stands for the bundle in it.
    pub(crate) bundle: PathBuf,
    /// Address of the door: `https://…` as the deployment prints it, or
    /// `http://127.0.0.1:8787/upload` for `serve` on this machine.
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    /// The file that holds the practice's credential.
    #[arg(long, value_name = "FILE")]
    pub(crate) credential_file: Option<PathBuf>,
    /// How many files go at a time.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) parallel: u8,
}

#[derive(Subcommand)]
pub(crate) enum LinkCommand {
    /// Issue a new link; earlier ones stay valid until they expire.
    Issue(LinkArgs),
    /// Show the scan's state and its current link.
    Show(LinkArgs),
    /// Revoke every link of the scan at once.
    Revoke(LinkArgs),
    /// Issue a new code for the report and show it once; without it the report stays closed.
    Code(LinkArgs),
}

#[derive(Args)]
pub(crate) struct LinkArgs {
    /// The scan's identifier.
    pub(crate) scan: String,
    /// The folder given to `serve --data`.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The practice, where two practices use the same scan identifier.
    #[arg(long, value_name = "ID")]
    pub(crate) practice: Option<String>,
    /// Draw the link as a QR code, to be read off the practice's own screen.
    #[arg(long)]
    pub(crate) qr: bool,
}

/// Which scan a right is about.
#[derive(Args)]
pub(crate) struct RightsScan {
    /// The scan's identifier.
    pub(crate) scan: String,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// The practice, where two practices use the same scan identifier.
    #[arg(long, value_name = "ID")]
    pub(crate) practice: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum RightsCommand {
    /// Write everything that is held on a scan into a zip with a readable index (Art. 15).
    Access {
        #[command(flatten)]
        target: RightsScan,
        /// The archive; written with mode 0600.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Correct first name or e-mail: new report, new link, the old one is dead (Art. 16).
    Rectify {
        #[command(flatten)]
        target: RightsScan,
        /// The right first name.
        #[arg(long, value_name = "NAME", conflicts_with = "no_first_name")]
        first_name: Option<String>,
        /// Remove the first name.
        #[arg(long)]
        no_first_name: bool,
        /// The right e-mail address.
        #[arg(long, value_name = "ADDRESS", conflicts_with = "no_email")]
        email: Option<String>,
        /// Remove the e-mail address.
        #[arg(long)]
        no_email: bool,
    },
    /// Erase a scan at once, with all copies (Art. 17); repeated, it says so again.
    Erase {
        #[command(flatten)]
        target: RightsScan,
    },
    /// Keep a scan, but neither process nor serve it (Art. 18).
    Restrict {
        #[command(flatten)]
        target: RightsScan,
        /// End the restriction.
        #[arg(long)]
        lift: bool,
    },
    /// Write findings, FHIR, pictures and model into a zip to take elsewhere (Art. 20).
    Portability {
        #[command(flatten)]
        target: RightsScan,
        /// The archive; written with mode 0600.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Turn usage events off for a report, and delete those there are (Art. 21).
    Object {
        #[command(flatten)]
        target: RightsScan,
        /// The objection is withdrawn.
        #[arg(long)]
        withdraw: bool,
    },
    /// Print the signed certificate of a scan's deletion.
    Certificate {
        #[command(flatten)]
        target: RightsScan,
    },
}

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that the log is whole: no entry changed, missing or cut off.
    Verify {
        #[command(flatten)]
        place: PlaceArgs,
        /// One practice; all by default.
        #[arg(long, value_name = "ID")]
        practice: Option<String>,
        /// A head that was noted before: the log must still contain it.
        #[arg(long, value_name = "SEQUENCE:HASH")]
        noted: Option<dermalia_record::audit::NotedHead>,
        /// A deletion certificate: its signature is checked, and that the log still
        /// contains its head.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["noted", "practice"])]
        certificate: Option<PathBuf>,
    },
    /// Print a practice's log.
    Show {
        /// The practice.
        practice: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

#[derive(Args)]
pub(crate) struct SweepArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// Where a service keeps its data.
#[derive(Args)]
pub(crate) struct PlaceArgs {
    /// The folder given to `serve --data`, or `aws:STAGE` for a stage on AWS.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
}

#[derive(Subcommand)]
pub(crate) enum PracticeCommand {
    /// Add a practice; prints its credential, which is shown this once.
    Add {
        /// Its identifier.
        id: String,
        #[command(flatten)]
        terms: TermsArgs,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Change what a practice has agreed; what is not named stays.
    Terms {
        /// Its identifier.
        id: String,
        #[command(flatten)]
        terms: TermsArgs,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Give a practice a new credential; the one before stays valid until it is retired.
    Rotate {
        /// Its identifier.
        id: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// End the credential before the current one.
    Retire {
        /// Its identifier.
        id: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// List the practices with their terms.
    List {
        #[command(flatten)]
        place: PlaceArgs,
    },
}

#[derive(Args)]
pub(crate) struct TermsArgs {
    /// Its name on report and e-mail.
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// Language of report and e-mail where the patient has named none.
    #[arg(long, value_name = "TAG", value_parser = locale())]
    pub(crate) locale: Option<Locale>,
    /// Whom patients ask, as shown on the report.
    #[arg(long, value_name = "TEXT")]
    pub(crate) contact: Option<String>,
    /// Its logo on the report: a PNG or WebP file, made anew and small.
    #[arg(long, value_name = "FILE", conflicts_with = "no_logo")]
    pub(crate) logo: Option<PathBuf>,
    /// Remove the logo.
    #[arg(long)]
    pub(crate) no_logo: bool,
    /// Sender of its e-mails.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) sender: Option<String>,
    /// Where answers to its e-mails go.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) reply_to: Option<String>,
    /// How long a scan is kept, in calendar months from its capture.
    #[arg(long, value_name = "N")]
    pub(crate) retention_months: Option<u16>,
    /// How long the raw bundle is kept after the report, in days.
    #[arg(long, value_name = "N")]
    pub(crate) bundle_days: Option<u16>,
    /// How long a link lives, in days.
    #[arg(long, value_name = "N")]
    pub(crate) link_days: Option<u16>,
    /// Whether links ask for a code of six digits.
    #[arg(long, value_name = "BOOL")]
    pub(crate) code_required: Option<bool>,
}

#[derive(Subcommand)]
pub(crate) enum OpsCommand {
    /// Show the messages that were given up, with their reasons.
    Dead(PlaceArgs),
    /// Bring them back into their queues.
    Redrive(PlaceArgs),
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key: the secret for the secrets manager, the public half for the edge.
    New {
        /// Its number; the edge tells keys apart by it.
        #[arg(long, value_name = "N", default_value_t = 1)]
        id: u16,
    },
    /// Print the public half of the secret on standard input.
    Public,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
