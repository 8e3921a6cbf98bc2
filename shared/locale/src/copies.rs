/// The index of a copy of what is stored.
pub struct CopyTexts {
    /// Of everything that is held (Art. 15 GDPR).
    pub access_title: &'static str,
    /// Of what can be taken elsewhere (Art. 20 GDPR).
    pub portability_title: &'static str,
    /// Which scan it is; dates in words.
    pub about: fn(scan: &str, practice: &str, captured: &str, until: &str) -> String,
    pub files_title: &'static str,
    pub file_column: &'static str,
    pub bytes_column: &'static str,
    pub what_column: &'static str,

    pub record: &'static str,
    pub accesses: &'static str,
    pub recipients: &'static str,
    pub audit: &'static str,
    pub raw_file: &'static str,
    pub findings: &'static str,
    pub report: &'static str,
    pub for_other_systems: &'static str,

    pub recipients_title: &'static str,
    /// Who receives data of a scan and for what: the practice, and the processors under
    /// Art. 28 GDPR (Mosaic Medical, Amazon Web Services, Cloudflare, Resend).
    pub recipient_list: [(&'static str, &'static str); 5],
    pub rights_title: &'static str,
    pub rights: &'static str,
}
