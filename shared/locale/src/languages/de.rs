//! German.

use dermalia_findings::{MeasureName, Parameter, Region};

use crate::{
    Change, CodeForm, ConfirmMail, CopyTexts, Form, HydrationBand, Legal, MailTexts, MeasureText,
    Messages, PageTexts, ParameterText, ProblemText, ReasonKind, ReportMail, ToneBand, ViewerText,
};

const MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

pub(crate) const MESSAGES: Messages = Messages {
    dir: "ltr",
    language: "Deutsch",
    decimal: ',',
    thousands: '.',
    date: |year, month, day| {
        let name = MONTHS[(month.clamp(1, 12) - 1) as usize];
        format!("{day}. {name} {year}")
    },
    and: " und ",

    report_title: "Ihr Hautbericht",
    skip: "Zum Inhalt springen",
    greeting: |name| format!("Guten Tag, {name}"),
    intro: |date| {
        format!("Aufnahme vom {date}. Was sich daran messen lässt, und was die Zahlen bedeuten.")
    },
    summary_title: "Auf einen Blick",
    languages: "Sprache",
    not_a_diagnosis_short: "Eine Messung, keine Diagnose",

    parameter,
    measure,
    region,
    unit,

    wrinkles: |count, amount| match count {
        Some("1") => format!("Es wurde 1 Linie gefunden, im Mittel {amount} Haut."),
        Some(n) => format!("Es wurden {n} Linien gefunden, im Mittel {amount} Haut."),
        None => format!("Gemessen wurden im Mittel {amount} Haut."),
    },
    no_wrinkles: "Auf der vermessenen Haut wurde keine Linie gefunden.",
    pores: |amount, diameter| match diameter {
        Some(d) => format!(
            "Sichtbare Poren: im Mittel {amount} Haut. Gezählt sind solche, die mindestens 0,25\u{a0}mm weit sind; ihr mittlerer Durchmesser beträgt {d}."
        ),
        None => format!(
            "Sichtbare Poren: im Mittel {amount} Haut. Gezählt sind solche, die mindestens 0,25\u{a0}mm weit sind."
        ),
    },
    no_pores: "Es wurde keine Pore gefunden, die mindestens 0,25\u{a0}mm weit ist.",
    spots: |amount| format!("Pigmentflecken bedecken {amount} der vermessenen Haut."),
    no_spots: "Auf der vermessenen Haut wurde kein Pigmentfleck gefunden.",
    red_areas: |amount| {
        format!("{amount} der vermessenen Haut sind röter als die Haut ringsum.")
    },
    no_red_areas: "Es wurde keine Stelle gefunden, die röter ist als die Haut ringsum.",
    hydration: |amount| format!("Die Sonde in der Praxis hat {amount} gemessen."),
    hydration_sites: |sites, lowest, highest| {
        format!("Die Sonde in der Praxis hat an {sites} Stellen zwischen {lowest} und {highest} gemessen.")
    },
    at_sites: |sites| format!("An {sites} Stellen gemessen."),
    texture: |amount| {
        format!("Das feine Hautrelief weicht im Mittel um {amount} von einer glatten Fläche ab.")
    },
    other_headline: |measure, amount| format!("{measure}: {amount}."),
    most_on: |regions| format!("Am stärksten: {regions}."),
    tone: |band, angle| {
        let name = match band {
            ToneBand::VeryLight => "sehr hell",
            ToneBand::Light => "hell",
            ToneBand::Intermediate => "mittel",
            ToneBand::Tan => "gebräunt",
            ToneBand::Brown => "braun",
            ToneBand::Dark => "dunkel",
        };
        format!("Ihr Hautton liegt im Bereich „{name}“ (ITA-Winkel {angle}).")
    },
    hydration_band: |band| match band {
        HydrationBand::VeryDry => {
            "Als grober Richtwert gelten Werte unter 30 bei diesem Gerät als sehr trocken."
        }
        HydrationBand::Dry => {
            "Als grober Richtwert gelten Werte von 30 bis 45 bei diesem Gerät als trocken."
        }
        HydrationBand::Sufficient => {
            "Als grober Richtwert gelten Werte ab 45 bei diesem Gerät als ausreichend feucht."
        }
    },
    instrument: |name| format!("Messgerät: {name}"),

    confidence_label: "Verlässlichkeit",
    confidence_high: "hoch",
    confidence_medium: "mittel",
    confidence_low: "niedrig",
    not_measured: "Nicht gemessen",
    range: |low, high| format!("{low} bis {high}"),
    interval: |low, high| {
        format!("Messunsicherheit: In 19 von 20 Fällen liegt der wahre Wert zwischen {low} und {high}.")
    },
    band_note: "Die waagerechte Linie zeigt, in welchem Bereich der wahre Wert in 19 von 20 Fällen liegt.",
    reservation: "Zur Verlässlichkeit",
    confidence_explained: "„Hoch“ heißt: innerhalb der angegebenen Genauigkeit des Verfahrens. „Mittel“ heißt: brauchbar, mit dem genannten Vorbehalt. „Niedrig“ heißt: nur ein Anhaltspunkt.",

    by_region: "Nach Region",
    bars_note: "Der senkrechte Strich zeigt den Wert des gesamten Gesichts.",
    all_numbers: "Alle Zahlen",
    all_numbers_of: |parameter| format!("Alle Zahlen: {parameter}"),
    measure_column: "Messwert",
    region_column: "Region",
    glossary: "Was die Messwerte bedeuten",
    map_alt: |parameter, listing| format!("Gesichtsschema, {parameter} nach Region: {listing}."),
    map_scale: |highest| format!("hell: 0, dunkel: {highest}, schraffiert: nicht gemessen"),

    picture_skin_alt: "Ihr Gesicht von vorn, so wie die Aufnahme es zeigt.",
    picture_alt: |parameter, view| format!("{view}; {parameter} farbig eingezeichnet."),
    view_front: "Ansicht von vorn",
    view_left: "Linke Gesichtshälfte",
    view_right: "Rechte Gesichtshälfte",
    legend: "Farbskala der Bilder",
    legend_none: "nicht ausgeprägt",
    legend_strong: "stark ausgeprägt",
    legend_gap: "Grau ohne Farbe: nicht gemessen",

    viewer: ViewerText {
        title: "Ihr Gesicht in 3D",
        lead: "Drehen Sie den Kopf mit dem Finger, der Maus, den Pfeiltasten oder den Schaltflächen. Tippen Sie auf eine Stelle, um ihre Maße zu lesen.",
        open: |size| format!("3D-Ansicht öffnen ({size})"),
        canvas: "Ihr Kopf in 3D. Pfeiltasten drehen, Plus und Minus ändern die Größe, Bild auf und Bild ab führen von Stelle zu Stelle.",
        overlay: "Einzeichnen",
        skin: "Nur die Haut",
        turns: [
            "Nach links drehen",
            "Nach rechts drehen",
            "Nach oben drehen",
            "Nach unten drehen",
            "Näher",
            "Weiter weg",
            "Von vorn",
        ],
        tools: "Ansicht ändern",
        previous: "Vorherige Stelle",
        next: "Nächste Stelle",
        loading: "Wird geladen …",
        failed: "Die 3D-Ansicht konnte nicht geladen werden. Vielleicht gilt der Link nicht mehr; die Bilder unten zeigen dasselbe.",
        nothing: "Hier ist nichts eingezeichnet.",
        which: "{n} von {of}. ",
        kinds: [
            "Linie, {a} mm lang, {b} mm breit",
            "Pore, {a} mm weit",
            "Fleck, {a} mm² groß, Farbabstand {b} ΔE₀₀",
            "gerötete Stelle, {a} mm² groß, um {b} a* röter als ringsum",
        ],
        depth: ", {c} mm tief",
        compare: |date, size| format!("Mit der Aufnahme vom {date} vergleichen ({size})"),
        both: "Ihr Kopf in 3D, zweimal: die frühere Aufnahme und diese, gemeinsam gedreht. Pfeiltasten drehen beide, Plus und Minus ändern die Größe, Bild auf und Bild ab führen auf dieser von Stelle zu Stelle.",
        before_failed: "Die frühere Aufnahme konnte nicht geladen werden. Vielleicht wird sie nicht mehr aufbewahrt.",
    },

    regions_title: "Region für Region",
    regions_lead: "Wählen Sie eine Region im Gesicht oder in der Liste. Links und rechts sind von Ihnen aus gesehen.",
    regions_map_alt: "Gesichtsschema mit dreizehn Regionen zum Auswählen",
    area: |net| format!("{net} vermessen"),
    area_excluded: |net, excluded| format!("{net} vermessen, {excluded} ausgenommen"),

    changes_title: "Seit der letzten Aufnahme",
    changes_lead: |date| format!("Verglichen mit der Aufnahme vom {date}, gesamtes Gesicht."),
    then: "Damals",
    now: "Heute",
    change_column: "Veränderung",
    change: |change, threshold| match change {
        Change::WithinScatter => {
            format!("keine, die sich von der Messstreuung (±{threshold}) unterscheiden lässt")
        }
        Change::More => format!("mehr, über der Messstreuung von ±{threshold}"),
        Change::Less => format!("weniger, über der Messstreuung von ±{threshold}"),
        Change::NotComparable => {
            "nicht vergleichbar: die Aufnahmen haben kein gemeinsames Maß dafür".to_owned()
        }
    },
    change_short: |change, threshold| match change {
        Change::WithinScatter => format!("keine (±{threshold})"),
        Change::More => format!("mehr (±{threshold})"),
        Change::Less => format!("weniger (±{threshold})"),
        Change::NotComparable => "nicht vergleichbar".to_owned(),
    },
    change_regions: |measure, more, less| match (more, less) {
        (Some(more), Some(less)) => format!("{measure}: mehr ({more}), weniger ({less})."),
        (Some(more), None) => format!("{measure}: mehr ({more})."),
        (None, Some(less)) => format!("{measure}: weniger ({less})."),
        (None, None) => format!("{measure}: überall im Rahmen der Messstreuung."),
    },
    change_no_region: "In keiner einzelnen Region hat sich mehr verändert, als die Messstreuung erklärt.",
    changes_note: "Die Messstreuung (±) ist der Unterschied, den zwei Aufnahmen derselben Haut in 95 von 100 Fällen nicht überschreiten. Eine Veränderung wird erst genannt, wenn sie größer ist, und nur dort, wo beide Aufnahmen etwa gleich viel Haut der Region zeigen. Farbwerte hängen von der Belichtung ab und werden deshalb nicht verglichen.",

    gaps_title: "Was nicht gemessen wurde",
    gaps_lead: "Was eine Aufnahme nicht hergibt, wird nicht geschätzt. Hier steht, was fehlt und warum.",
    gaps_regions: |regions| format!("Betrifft: {regions}"),
    gaps_everywhere: "Betrifft: alle Regionen",
    gaps_none: "Alle Messwerte konnten bestimmt werden.",
    reason,

    quality_title: "Qualität der Aufnahme",
    quality_lead: "Wie genau die Zahlen sein können, hängt von der Aufnahme ab.",
    scale: "Auflösung auf der Haut",
    scale_value: |value| format!("{value}\u{a0}mm je Bildpunkt"),
    scale_unknown: "unbekannt",
    focus: "Schärfe",
    focus_value: |value| format!("{value} von 1"),
    clipped: "Über- oder unterbelichtete Haut",
    warnings: "Hinweise",
    no_warnings: "Keine Auffälligkeiten bei der Aufnahme.",

    method_title: "Wie gemessen wurde",
    method: &[
        "Alle Längen und Flächen sind auf der Hautoberfläche in Millimetern gemessen, nicht in Bildpunkten.",
        "Augen, Brauen, Lippen, Nasenlöcher, Bart und Haare sind ausgenommen; Dichten und Anteile beziehen sich auf die übrige Haut.",
        "Die Hautfeuchtigkeit misst nur die Sonde in der Praxis. Aus einem Foto wird sie nie berechnet.",
        "Hautton und Rotanteil hängen von der Belichtung ab: Ohne Farbtafel im Bild sind sie weniger sicher als Längen und Flächen.",
        "Es gibt keine Punktzahl und keinen Vergleich mit anderen Menschen. Aussagekräftig ist der Vergleich mit Ihrer eigenen nächsten Aufnahme.",
    ],
    algorithm: |name| format!("Auswertung: {name}"),

    notice_title: "Keine Diagnose",
    notice: "Dieser Bericht beschreibt, was auf der Aufnahme messbar ist. Er stellt keine Diagnose, schließt keine Krankheit aus und ersetzt keine ärztliche Untersuchung. Wenn Ihnen an Ihrer Haut etwas auffällt oder sich etwas verändert, sprechen Sie bitte mit Ihrer Ärztin, Ihrem Arzt oder Ihrer Praxis.",

    privacy_title: "Ihre Daten, Ihre Rechte",
    controller: "Verantwortlich ist die Mosaic Medical UG (haftungsbeschränkt), Stubbenhof 16, 21147 Hamburg.",
    processed: "Verarbeitet werden die Kennung der Aufnahme, das 3D-Modell und die Bilder der Hautoberfläche, die Messwerte, die Kennung der Praxis und, falls Sie sie angegeben haben, Vorname und E-Mail-Adresse. Geburtsdatum, Anschrift, Versicherungsnummer, Diagnosen und Behandlungen werden nicht verarbeitet.",
    kept_until: |date| format!("Die Daten werden am {date} automatisch gelöscht, auf Ihren Wunsch früher."),
    kept_by_default: "Die Daten werden für die mit der Praxis vereinbarte Dauer gespeichert (ohne andere Vereinbarung 24 Monate ab der Aufnahme) und dann automatisch gelöscht, auf Ihren Wunsch früher.",
    rights_title: "Sie haben jederzeit das Recht auf",
    rights: &[
        "Auskunft (Art. 15 DSGVO)",
        "Berichtigung (Art. 16 DSGVO)",
        "Löschung (Art. 17 DSGVO)",
        "Einschränkung der Verarbeitung (Art. 18 DSGVO)",
        "Datenübertragbarkeit (Art. 20 DSGVO)",
        "Widerspruch (Art. 21 DSGVO)",
    ],
    ask_erase: "Bericht und Aufnahme löschen",
    ask_object: "Der Auswertung der Nutzung widersprechen",
    rights_how: "Schreiben Sie dafür an",
    authority: "Sie können sich außerdem bei der für Sie zuständigen Aufsichtsbehörde beschweren, zum Beispiel beim Hamburgischen Beauftragten für Datenschutz und Informationsfreiheit.",
    scan_id: "Kennung der Aufnahme",
    downloads_title: "Zum Mitnehmen",
    download_data: "Kopie meiner Messdaten (JSON)",
    download_pdf: "Bericht zum Ausdrucken (PDF)",
    download_fhir: "Messdaten für die Praxissoftware (FHIR)",
    download_model: "Mein 3D-Modell (GLB)",
    footer: "Erstellt mit Dermalia",

    data_copy_about: "Kopie Ihrer Messdaten. Jeder Messwert hat Namen, Wert und Einheit; ein Wert null heißt, dass er nicht gemessen werden konnte, und reason sagt (auf Englisch), warum. Längen und Flächen gelten auf der Hautoberfläche.",

    mail: MailTexts {
        report: ReportMail {
            subject: "Ihr Bericht ist da",
            greeting: |name| match name {
                Some(name) => format!("Guten Tag {name},"),
                None => "Guten Tag,".to_owned(),
            },
            lead: |practice| {
                format!("{practice} hat Ihren Bericht für Sie bereitgestellt. Über diesen Link öffnen Sie ihn:")
            },
            button: "Bericht öffnen",
            otherwise: "Oder kopieren Sie diese Adresse in Ihren Browser:",
            validity: |days, until| {
                format!("Der Link gilt {days} Tage, bis zum {until}. Er ist nur für Sie bestimmt: Wer ihn hat, kann den Bericht lesen.")
            },
            questions: "Fragen beantwortet Ihre Praxis.",
            questions_by_reply: "Fragen beantwortet Ihre Praxis; eine Antwort auf diese E-Mail erreicht sie.",
        },
        confirm: ConfirmMail {
            subject: "Löschung bestätigen",
            lead: "Über Ihren Bericht wurde darum gebeten, ihn mit allen zugehörigen Daten zu löschen. Wenn Sie das möchten, bestätigen Sie es hier:",
            button: "Löschung bestätigen",
            note: "Der Link gilt zwei Tage. Nach der Bestätigung wird sofort gelöscht; das lässt sich nicht rückgängig machen. Wenn Sie nicht darum gebeten haben, brauchen Sie nichts zu tun: Ohne Bestätigung wird nichts gelöscht.",
        },
    },

    pages: PageTexts {
        privacy_title: "Datenschutz",
        privacy: Legal::Written(PRIVACY),
        security_title: "Sicherheit",
        security: Legal::Written(SECURITY),
        not_found: ProblemText {
            heading: "Diese Seite gibt es nicht",
            what_happened: "Unter dieser Adresse liegt nichts.",
            what_to_do: "Vielleicht wurde der Link beim Kopieren gekürzt: Bitte öffnen Sie ihn direkt aus der E-Mail oder fragen Sie Ihre Praxis.",
        },
        method_not_allowed: ProblemText {
            heading: "So lässt sich diese Seite nicht aufrufen",
            what_happened: "Diese Adresse nimmt eine solche Anfrage nicht an.",
            what_to_do: "Bitte öffnen Sie den Link in Ihrem Browser.",
        },
        unreadable: ProblemText {
            heading: "Die Anfrage ist nicht lesbar",
            what_happened: "Was gesendet wurde, hat nicht die Form, die hier erwartet wird.",
            what_to_do: "Bitte gehen Sie zurück und versuchen Sie es noch einmal.",
        },
        foreign_page: ProblemText {
            heading: "Diese Anfrage kam von einer fremden Seite",
            what_happened: "Zu Ihrem Schutz werden Anfragen nur von den Seiten des Hautberichts angenommen.",
            what_to_do: "Bitte öffnen Sie den Link aus der E-Mail in Ihrem Browser und versuchen Sie es dort noch einmal.",
        },
        locked_out: ProblemText {
            heading: "Dieser Link ist gesperrt",
            what_happened: "Der Code wurde fünfmal falsch eingegeben. Zu Ihrem Schutz öffnet dieser Link den Bericht nicht mehr.",
            what_to_do: "Bitte wenden Sie sich an Ihre Praxis: Sie kann Ihnen einen neuen Link senden.",
        },
        asked_before: ProblemText {
            heading: "Das haben Sie schon angefordert",
            what_happened: "Ihre Anfrage liegt uns vor; es braucht keine weitere.",
            what_to_do: "Bitte sehen Sie in Ihrem Postfach nach, auch im Ordner für Spam. Morgen können Sie es noch einmal versuchen.",
        },
        expired: ProblemText {
            heading: "Dieser Link ist abgelaufen",
            what_happened: "Zu Ihrem Schutz gilt der Link zu einem Hautbericht nur für begrenzte Zeit.",
            what_to_do: "Solange der Bericht aufbewahrt wird, können Sie einen neuen Link anfordern, hier oder in Ihrer Praxis.",
        },
        confirmed_too_late: ProblemText {
            heading: "Dieser Link ist abgelaufen",
            what_happened: "Die Löschung wurde nicht rechtzeitig bestätigt; es wurde nichts gelöscht.",
            what_to_do: "Bitte fordern Sie die Löschung noch einmal an, auf der Seite des Berichts oder in Ihrer Praxis.",
        },
        revoked: ProblemText {
            heading: "Dieser Link gilt nicht mehr",
            what_happened: "Der Link zu diesem Hautbericht wurde gesperrt oder durch einen neuen ersetzt.",
            what_to_do: "Bitte verwenden Sie den neuesten Link, den Sie erhalten haben, oder wenden Sie sich an Ihre Praxis.",
        },
        removed: ProblemText {
            heading: "Dieser Bericht ist gelöscht",
            what_happened: "Der Hautbericht wurde auf Wunsch oder nach Ablauf der Aufbewahrungsfrist gelöscht.",
            what_to_do: "Bei Fragen wenden Sie sich bitte an Ihre Praxis.",
        },
        body_too_large: ProblemText {
            heading: "Die Anfrage ist zu groß",
            what_happened: "Mit dieser Anfrage wurden mehr Daten gesendet, als hier angenommen werden.",
            what_to_do: "Bitte öffnen Sie den Link in Ihrem Browser.",
        },
        target_too_long: ProblemText {
            heading: "Die Adresse ist zu lang",
            what_happened: "Eine so lange Adresse gibt es hier nicht.",
            what_to_do: "Bitte öffnen Sie den Link direkt aus der E-Mail.",
        },
        range_outside: ProblemText {
            heading: "Diesen Teil gibt es nicht",
            what_happened: "Der angeforderte Abschnitt liegt außerhalb der Datei.",
            what_to_do: "Bitte laden Sie die Datei neu.",
        },
        too_many_requests: ProblemText {
            heading: "Bitte einen Moment Geduld",
            what_happened: "Diese Adresse wurde in kurzer Zeit sehr oft aufgerufen.",
            what_to_do: "Bitte versuchen Sie es in einer Minute noch einmal.",
        },
        origin_failed: ProblemText {
            heading: "Der Bericht ist gerade nicht erreichbar",
            what_happened: "Der Link ist gültig, aber der Bericht kann im Augenblick nicht geladen werden.",
            what_to_do: "Bitte versuchen Sie es in einer Minute noch einmal.",
        },
        being_renewed: ProblemText {
            heading: "Der Bericht wird gerade erneuert",
            what_happened: "Der Link ist gültig. Der Bericht wird im Augenblick neu erstellt; meist dauert das nur wenige Sekunden.",
            what_to_do: "Diese Seite lädt sich von selbst neu.",
        },
        renew: Form {
            title: "Neuen Link anfordern",
            paragraphs: &[
                "Der neue Link geht per E-Mail an die Adresse, die in Ihrer Praxis hinterlegt ist. Eine andere Adresse ist hier nicht möglich.",
            ],
            button: "Neuen Link senden",
            done_title: "Ihr neuer Link ist unterwegs",
            done: &[
                "Wenn in Ihrer Praxis eine E-Mail-Adresse hinterlegt ist, geht der neue Link in den nächsten Minuten dorthin.",
                "Sehen Sie bitte auch im Ordner für Spam nach. Kommt nichts an, wenden Sie sich an Ihre Praxis.",
            ],
        },
        erase: Form {
            title: "Hautbericht löschen",
            paragraphs: &[
                "Sie können verlangen, dass der Bericht und der Scan, aus dem er entstanden ist, gelöscht werden (Art.&nbsp;17 DSGVO).",
                "Damit das niemand anderes für Sie tut, senden wir eine E-Mail an die Adresse, die in Ihrer Praxis hinterlegt ist. Erst wenn Sie den Link darin öffnen und bestätigen, wird gelöscht.",
                "Ist dort keine Adresse hinterlegt, wenden Sie sich bitte an Ihre Praxis.",
            ],
            button: "Löschung anfordern",
            done_title: "Bitte bestätigen Sie die Löschung",
            done: &[
                "Wenn in Ihrer Praxis eine E-Mail-Adresse hinterlegt ist, geht in den nächsten Minuten eine E-Mail dorthin.",
                "Öffnen Sie den Link darin und bestätigen Sie die Löschung. Bis dahin bleibt der Bericht, wie er ist.",
            ],
        },
        confirm: Form {
            title: "Löschung bestätigen",
            paragraphs: &[
                "Der Hautbericht und der Scan, aus dem er entstanden ist, werden endgültig gelöscht. Das lässt sich nicht rückgängig machen.",
                "Möchten Sie ihn behalten, laden Sie ihn vorher herunter oder schließen Sie diese Seite: Dann geschieht nichts.",
            ],
            button: "Endgültig löschen",
            done_title: "Der Bericht wird gelöscht",
            done: &[
                "Ihre Bestätigung ist eingegangen, die Löschung beginnt sofort. Danach öffnet kein Link mehr den Bericht.",
            ],
        },
        object: Form {
            title: "Der Aufzeichnung der Nutzung widersprechen",
            paragraphs: &[
                "Um die Seite zu verbessern, halten wir fest, welche Teile des Berichts geöffnet werden, ohne Ihren Namen und ohne Ihre Adresse.",
                "Sie können dem widersprechen (Art.&nbsp;21 DSGVO). Der Bericht bleibt, wie er ist.",
            ],
            button: "Widersprechen",
            done_title: "Ihr Widerspruch ist eingegangen",
            done: &[
                "In wenigen Minuten wird nicht mehr festgehalten, welche Teile dieses Berichts geöffnet werden.",
            ],
        },
        back: "Zurück zum Bericht",
        code: CodeForm {
            title: "Bitte geben Sie Ihren Code ein",
            intro: "Dieser Bericht ist zusätzlich durch einen Code geschützt. Sie haben ihn in Ihrer Praxis erhalten.",
            label: "Code",
            hint: "Sechs Ziffern",
            send: "Bericht öffnen",
            no_code: "Bitte geben Sie sechs Ziffern ein.",
            wrong: |left| match left {
                1 => "Der Code stimmt nicht. Ein Versuch ist noch möglich.".to_owned(),
                left => format!("Der Code stimmt nicht. Es sind noch {left} Versuche möglich."),
            },
        },
    },

    copies: CopyTexts {
        access_title: "Ihre Daten",
        portability_title: "Daten zum Mitnehmen",
        about: |scan, practice, captured, until| {
            format!("Aufnahme {scan} der Praxis {practice} vom {captured}, gespeichert bis zum {until}.")
        },
        files_title: "Dateien",
        file_column: "Datei",
        bytes_column: "Bytes",
        what_column: "Was sie enthält",
        record: "was über die Aufnahme gespeichert ist, mit Name und E-Mail-Adresse",
        accesses: "wann der Bericht geöffnet und benutzt wurde, aus welchem Netz und mit welchem Browser",
        recipients: "wer Daten der Aufnahme erhält",
        audit: "was bisher verlangt und getan wurde",
        raw_file: "eine Datei der rohen Aufnahme, wie der Scanner sie gesendet hat oder wie sie aufbewahrt wird",
        findings: "auf der Aufnahme gemessen",
        report: "der Bericht, wie der Link ihn zeigt",
        for_other_systems: "dasselbe für andere Systeme",
        recipients_title: "Empfänger",
        recipient_list: [
            ("Die Praxis", "macht die Aufnahme und ist verantwortlich"),
            ("Mosaic Medical UG (Dermalia), Hamburg", "vermisst die Aufnahme und schreibt den Bericht für die Praxis"),
            ("Amazon Web Services, Frankfurt (eu-central-1)", "Speicherung und Berechnung"),
            ("Cloudflare", "Auslieferung des Berichts; speichert nichts davon"),
            ("Resend", "Zustellung der E-Mail mit dem Link, falls eine Adresse angegeben wurde"),
        ],
        rights_title: "Ihre Rechte",
        rights: "Auskunft, Berichtigung, Löschung, Einschränkung, Datenübertragbarkeit und Widerspruch (Art. 15 bis 21 DSGVO): Wenden Sie sich an Ihre Praxis oder an kontakt@dermalia.de. Beschwerden nimmt Ihre Datenschutzaufsicht entgegen, zum Beispiel der Hamburgische Beauftragte für Datenschutz und Informationsfreiheit.",
    },
};

const fn parameter(parameter: Parameter) -> ParameterText {
    match parameter {
        Parameter::Wrinkles => ParameterText {
            name: "Falten",
            what: "Gemessen wird die Länge aller sichtbaren Linien auf der Hautoberfläche, bezogen auf die vermessene Fläche.",
            reading: "Linien gehören zu jedem Gesicht. Die Zahl zeigt, wie viele es sind und wo sie liegen; sie bewertet sie nicht.",
        },
        Parameter::Pores => ParameterText {
            name: "Poren",
            what: "Gezählt werden dunkle, runde Vertiefungen, die mindestens 0,25\u{a0}mm weit sind.",
            reading: "Poren hat jede Haut, an Nase und Stirn meist mehr. Kleinere Poren erfasst die Messung nicht.",
        },
        Parameter::Pigmentation => ParameterText {
            name: "Pigmentierung",
            what: "Gemessen wird die Fläche der Stellen, die mehr Melanin enthalten als die Haut ringsum, dazu der Hautton.",
            reading: "Auch Sommersprossen und Muttermale zählen als Flecken. Was ein einzelner Fleck ist, sagt die Messung nicht.",
        },
        Parameter::Redness => ParameterText {
            name: "Rötung",
            what: "Gemessen wird die Fläche der Stellen, die mehr Blutfarbstoff zeigen als die Haut ringsum.",
            reading: "Rötung schwankt im Lauf des Tages, mit Wärme, Anstrengung und Pflege. Eine einzelne Aufnahme ist eine Momentaufnahme.",
        },
        Parameter::Hydration => ParameterText {
            name: "Feuchtigkeit",
            what: "Gemessen hat die Sonde des Geräts in der Praxis; der Wert ist unverändert übernommen.",
            reading: "Die Feuchtigkeit hängt von Raumluft, Jahreszeit und Pflege ab. Werte verschiedener Geräte lassen sich nicht vergleichen.",
        },
        Parameter::Texture => ParameterText {
            name: "Hautrelief",
            what: "Gemessen wird die Rauheit der Hautoberfläche nach ISO\u{a0}25178-2, nachdem die Form des Gesichts herausgerechnet ist.",
            reading: "Poren und Linien sind im Relief enthalten. Ein größerer Wert bedeutet ein ausgeprägteres Relief.",
        },
    }
}

const fn measure(name: MeasureName) -> MeasureText {
    let (name, explanation) = match name {
        MeasureName::WrinkleCount => ("Anzahl der Linien", "So viele einzelne Linien wurden gefunden."),
        MeasureName::WrinkleLengthDensity => ("Linienlänge je Fläche", "Gesamte Länge der Linien, geteilt durch die vermessene Fläche."),
        MeasureName::WrinkleAreaFraction => ("Flächenanteil der Linien", "Anteil der vermessenen Haut, den Linien einnehmen."),
        MeasureName::WrinkleDepthMean => ("Mittlere Tiefe der Linien", "Mittel der Tiefe entlang der Linien; nur mit Höhendaten messbar."),
        MeasureName::PoreDensity => ("Poren je Fläche", "Zahl der Poren ab 0,25\u{a0}mm, geteilt durch die vermessene Fläche."),
        MeasureName::PoreDiameterMean => ("Mittlerer Porendurchmesser", "Weite der Poren auf halber Tiefe, als Kreis gleicher Fläche."),
        MeasureName::PoreAreaFraction => ("Flächenanteil der Poren", "Anteil der vermessenen Haut, den Poren einnehmen."),
        MeasureName::Ita => ("Hautton (ITA-Winkel)", "Individueller Typologiewinkel aus Helligkeit und Gelbanteil: je größer, desto heller."),
        MeasureName::MelaninIndex => ("Melanin-Index", "Maß für den Farbstoff Melanin, aus dem reflektierten roten Licht."),
        MeasureName::SpotDensity => ("Flecken je Fläche", "Zahl der Pigmentflecken, geteilt durch die vermessene Fläche."),
        MeasureName::SpotAreaFraction => ("Flächenanteil der Flecken", "Anteil der vermessenen Haut, den Pigmentflecken einnehmen."),
        MeasureName::SpotContrastMean => ("Mittlerer Farbabstand der Flecken", "Farbunterschied der Flecken zur Haut ringsum (CIEDE2000); etwa 1 ist gerade sichtbar."),
        MeasureName::ErythemaIndex => ("Erythem-Index", "Maß für den Blutfarbstoff, aus rotem und grünem Licht."),
        MeasureName::AStar => ("Rotanteil a*", "Grün-Rot-Achse des Farbraums CIELAB: je größer, desto röter."),
        MeasureName::RedAreaFraction => ("Flächenanteil geröteter Stellen", "Anteil der vermessenen Haut, der röter ist als die Haut ringsum."),
        MeasureName::Hydration => ("Hautfeuchtigkeit", "Wert der Sonde, in der Einheit des Geräts."),
        MeasureName::Sa => ("Mittlere Rauheit Sa", "Mittlere Abweichung der Höhe von der geglätteten Form."),
        MeasureName::Sq => ("Quadratische Rauheit Sq", "Wie Sa, doch zählen große Abweichungen stärker."),
        MeasureName::Sz => ("Größte Höhe Sz", "Abstand vom tiefsten zum höchsten Punkt."),
        MeasureName::Ssk => ("Schiefe Ssk", "Unter 0 überwiegen Vertiefungen, über 0 Erhebungen."),
        MeasureName::Sku => ("Steilheit Sku", "Um 3 bei zufälliger Verteilung; größer bei einzelnen scharfen Spitzen oder Tälern."),
    };
    MeasureText { name, explanation }
}

const fn region(region: Region) -> &'static str {
    match region {
        Region::Forehead => "Stirn",
        Region::Glabella => "Zwischen den Brauen",
        Region::CrowsFeetLeft => "Äußerer Augenwinkel links",
        Region::CrowsFeetRight => "Äußerer Augenwinkel rechts",
        Region::UnderEyeLeft => "Unter dem Auge links",
        Region::UnderEyeRight => "Unter dem Auge rechts",
        Region::Nose => "Nase",
        Region::CheekLeft => "Wange links",
        Region::CheekRight => "Wange rechts",
        Region::NasolabialLeft => "Nasen-Mund-Falte links",
        Region::NasolabialRight => "Nasen-Mund-Falte rechts",
        Region::Perioral => "Mundumgebung",
        Region::Chin => "Kinn",
        Region::Face => "Gesamtes Gesicht",
    }
}

fn unit(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "1" => "",
        "1/cm2" => "je cm²",
        "mm/cm2" => "mm je cm²",
        "cm2" => "cm²",
        "deg" => "°",
        "um" => "µm",
        "CIEDE2000" => "ΔE₀₀",
        _ => return None,
    })
}

/// The sentence with both numbers where both are known, else the one without.
fn two(numbers: &[String], with: fn(&str, &str) -> String, without: &str) -> String {
    match numbers {
        [a, b, ..] => with(a, b),
        _ => without.to_owned(),
    }
}

fn reason(kind: ReasonKind, numbers: &[String]) -> String {
    match kind {
        ReasonKind::TooCoarse => two(
            numbers,
            |a, b| format!("Die Auflösung von {a}\u{a0}mm je Bildpunkt ist dafür zu grob (nötig: {b}\u{a0}mm)."),
            "Die Auflösung der Aufnahme ist dafür zu grob.",
        ),
        ReasonKind::Limited => match numbers {
            [a, .., b] => format!("Bei {a}\u{a0}mm je Bildpunkt verschwimmen feine Einzelheiten (besser: {b}\u{a0}mm)."),
            _ => "Bei dieser Auflösung verschwimmen feine Einzelheiten.".to_owned(),
        },
        ReasonKind::FromShading => "Ohne Höhendaten ist dies aus Licht und Schatten bestimmt.".to_owned(),
        ReasonKind::FromMesh => "Ohne Höhenbild ist dies aus dem 3D-Modell selbst bestimmt.".to_owned(),
        ReasonKind::TurnedTexture => "Das Hautbild lag im 3D-Modell auf dem Kopf; es wurde passend zum Gesicht gedreht.".to_owned(),
        ReasonKind::LeftOut => match numbers {
            [n, ..] if n != "1" => format!("{n} weitere Fotos des Scans sind nicht ausgewertet, weil sie sich nicht zusammen mit den übrigen Bildern messen lassen."),
            _ => "Ein weiteres Foto des Scans ist nicht ausgewertet, weil es sich nicht zusammen mit den übrigen Bildern messen lässt.".to_owned(),
        },
        ReasonKind::UnplacedRelief => "Das Höhenbild des Scans ist nicht ausgewertet, weil nicht bekannt ist, wo es auf der Haut liegt.".to_owned(),
        ReasonKind::CoarseRelief => two(
            numbers,
            |a, b| format!("Das Höhenbild des Scans ist nicht ausgewertet: Es hat nur alle {a}\u{a0}mm einen Punkt (nötig: {b}\u{a0}mm)."),
            "Das Höhenbild des Scans ist nicht ausgewertet, weil seine Punkte zu weit auseinanderliegen.",
        ),
        ReasonKind::NoSkinsRelief => "Das Höhenbild des Scans ist nicht ausgewertet, weil Haut solche Höhen nicht haben kann.".to_owned(),
        ReasonKind::ReckonedDepth => two(
            numbers,
            |a, b| format!("Das Höhenbild hat nur alle {a}\u{a0}mm einen Punkt (besser: {b}\u{a0}mm); Tiefe und Breite sind dafür berichtigt."),
            "Die Punkte des Höhenbilds liegen weit auseinander; Tiefe und Breite sind dafür berichtigt.",
        ),
        ReasonKind::MirroredAtlas => "Das Hautbild liegt gespiegelt auf dem 3D-Modell; die Orte des Gefundenen können falsch sein.".to_owned(),
        ReasonKind::OutsideAtlas => match numbers {
            [a, ..] => format!("{a}\u{a0}% des 3D-Modells haben im Hautbild keinen Platz und sind nicht gemessen."),
            _ => "Teile des 3D-Modells haben im Hautbild keinen Platz und sind nicht gemessen.".to_owned(),
        },
        ReasonKind::MeasuredFlat => "Ein Foto zeigt keine Tiefe: Von der Kamera abgewandte Haut zählt kleiner, als sie ist.".to_owned(),
        ReasonKind::AtlasOverlap => "Teile des Hautbilds sind im 3D-Modell mehrfach belegt.".to_owned(),
        ReasonKind::NoScale => "Der Maßstab der Aufnahme ist nicht bekannt.".to_owned(),
        ReasonKind::ScaleEstimated => "Der Maßstab ist aus der Größe der Iris geschätzt.".to_owned(),
        ReasonKind::NoRelief => "Die Aufnahme enthält dafür keine Höhendaten, die fein genug sind.".to_owned(),
        ReasonKind::NoDeviceValue => "Das misst nur die Sonde des Geräts, und von ihr liegt hier kein Wert vor.".to_owned(),
        ReasonKind::NoLight => "Es liegt kein Bild bei einem Licht vor, das dies zeigt.".to_owned(),
        ReasonKind::NoColour => "Das Bild enthält keine Farben.".to_owned(),
        ReasonKind::NotVisible => "Hier ist keine messbare Haut zu sehen.".to_owned(),
        ReasonKind::NothingFound => "Hier wurde nichts gefunden, woraus sich ein Mittelwert bilden ließe.".to_owned(),
        ReasonKind::MakeUp => "Auf der Haut war Make-up; das verändert die Messung.".to_owned(),
        ReasonKind::Blur => two(
            numbers,
            |a, b| format!("Die Aufnahme ist nicht ganz scharf ({a}; gut ist {b})."),
            "Die Aufnahme ist nicht ganz scharf.",
        ),
        ReasonKind::Clipped => "Ein Teil der Haut ist über- oder unterbelichtet.".to_owned(),
        ReasonKind::Gloss => "Die Haut glänzt an einigen Stellen.".to_owned(),
        ReasonKind::Uneven => "Das Licht war ungleichmäßig.".to_owned(),
        ReasonKind::NoLightStandard => "Ohne Farbtafel im Bild trägt der Wert die Unsicherheit der Belichtung.".to_owned(),
        ReasonKind::DarkSkin => "Auf dunkler Haut lassen sich Rötung und Melanin weniger sicher trennen.".to_owned(),
        ReasonKind::NoFace => "Auf der Aufnahme wurde kein Gesicht erkannt.".to_owned(),
        ReasonKind::Noise => "Die Grundlage für diesen Wert ist klein oder verrauscht.".to_owned(),
        ReasonKind::Coverage => "Ein Teil des Gesichts fehlt oder ist verdeckt.".to_owned(),
        ReasonKind::Other => "Die Aufnahme gibt dies nicht oder nur eingeschränkt her; die genaue technische Angabe steht in der Kopie Ihrer Messdaten.".to_owned(),
    }
}

const PRIVACY: &str = r#"<h1>Datenschutz</h1>
<p>Wie wir mit den Daten umgehen, aus denen Ihr Hautbericht entsteht.</p>
<h2>Verantwortlich</h2>
<p>Mosaic Medical UG (haftungsbeschränkt)<br>Stubbenhof 16, 21147 Hamburg<br><a href="mailto:kontakt@dermalia.de">kontakt@dermalia.de</a></p>
<h2>Welche Daten wir verarbeiten</h2>
<p>Nur, was technisch nötig ist:</p>
<ul>
<li>die Kennung des Scans und der Praxis,</li>
<li>das 3D-Modell und die Aufnahmen der Hautoberfläche,</li>
<li>die daraus gemessenen Werte (Falten, Poren, Pigmentierung, Rötung, Feuchtigkeit),</li>
<li>Vorname und E-Mail-Adresse, wenn Sie diese für die Zustellung angegeben haben.</li>
</ul>
<p>Nicht verarbeitet werden Geburtsdatum, Anschrift, Versicherungsnummer, Diagnosen, frühere Behandlungen und andere Inhalte der Patientenakte.</p>
<h2>Wenn Sie den Bericht öffnen</h2>
<p>Verarbeitet werden höchstens der Zeitpunkt, eine gekürzte IP-Adresse, die Art des Browsers und des Geräts und die Nutzung der Seite. Die Seite lädt nichts von Dritten, setzt keine Werbe-Cookies und enthält keine Werbenetze.</p>
<h2>Rechtsgrundlage</h2>
<p>Art.&nbsp;6 Abs.&nbsp;1 Buchst.&nbsp;b und Art.&nbsp;9 Abs.&nbsp;2 Buchst.&nbsp;h DSGVO. Wir arbeiten im Auftrag Ihrer Praxis. Die Liste unserer Auftragsverarbeiter erhalten Sie auf Anfrage an <a href="mailto:kontakt@dermalia.de">kontakt@dermalia.de</a>.</p>
<h2>Wie lange</h2>
<p>So lange, wie es mit der Praxis vereinbart ist, ohne andere Vereinbarung 24&nbsp;Monate ab dem Tag des Scans. Danach werden die Daten selbsttätig gelöscht. Der Link zum Bericht läuft schon früher ab.</p>
<h2>Ihre Rechte</h2>
<p>Sie haben jederzeit das Recht auf Auskunft (Art.&nbsp;15), Berichtigung (Art.&nbsp;16), Löschung (Art.&nbsp;17), Einschränkung (Art.&nbsp;18), Datenübertragbarkeit (Art.&nbsp;20) und Widerspruch (Art.&nbsp;21 DSGVO) und können sich bei der zuständigen Aufsichtsbehörde beschweren. Schreiben Sie dafür an <a href="mailto:kontakt@dermalia.de">kontakt@dermalia.de</a>.</p>"#;

const SECURITY: &str = r#"<h1>Sicherheit</h1>
<p>Wie Ihr Bericht geschützt ist.</p>
<h2>Der Link</h2>
<p>Jeder Link ist elektronisch unterschrieben, gilt für genau einen Bericht und läuft ab. Er lässt sich nicht erraten und nicht verändern. Ihre Praxis kann ihn jederzeit sperren; die Sperre wirkt sofort. Wer den Link kennt, kann den Bericht lesen: Geben Sie ihn nur an Menschen weiter, denen Sie den Bericht zeigen möchten.</p>
<h2>Übertragung und Speicherung</h2>
<p>Der Bericht wird nur verschlüsselt übertragen. Ihr Browser wird angewiesen, ihn nicht zwischenzuspeichern, und Suchmaschinen, ihn nicht aufzunehmen. Die Seite lädt nichts von Dritten.</p>
<h2>Eine Schwachstelle melden</h2>
<p>Bitte schreiben Sie an <a href="mailto:kontakt@dermalia.de">kontakt@dermalia.de</a>.</p>"#;
