//! The media type of a file, by its extension.
//!
//! Our own table comes first: it knows telephony's formats, and is right where general tables are not (`.ts` is a
//! transport stream, `.sln` is audio). Text is said to be UTF-8, since nothing here looks into files.

/// What a file without a known extension is (RFC 9110 s8.3: better than a guess).
const UNKNOWN: &str = "application/octet-stream";

/// The longest extension that the table holds.
const EXTENSION_MAX: usize = 11;

/// The Content-Type of the file at `path`: by the last extension of the last segment, in any case.
///
/// A name that only begins with a dot has no extension.
#[must_use]
pub fn content_type_of(path: &[u8]) -> &'static str {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let extension = match name.iter().rposition(|byte| *byte == b'.') {
        None | Some(0) => return UNKNOWN,
        Some(dot) => &name[dot + 1..],
    };
    let mut lower = [0; EXTENSION_MAX];
    if let Some(lower) = lower.get_mut(..extension.len()) {
        lower.copy_from_slice(extension);
        lower.make_ascii_lowercase();
        if let Some(content_type) = media_type(lower).or_else(|| other_type(lower)) {
            return content_type;
        }
    }
    let guess = std::str::from_utf8(extension)
        .ok()
        .and_then(|text| mime_guess::from_ext(text).first_raw());
    guess.map_or(UNKNOWN, with_charset)
}

/// The extension, in lower case and without its dot, by which other programs know what a representation is: that of the
/// URL's path where it is one of a known format, else that of its Content-Type; empty where neither tells.
#[must_use]
pub fn extension_of(path: &[u8], content_type: Option<&[u8]>) -> String {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let of_name = match name.iter().rposition(|byte| *byte == b'.') {
        None | Some(0) => None,
        Some(dot) => name.get(dot + 1..),
    };
    let known = of_name.map(<[u8]>::to_ascii_lowercase).filter(|lower| {
        lower.len() <= FILE_EXTENSION_MAX
            && (media_type(lower).is_some() || other_type(lower).is_some())
    });
    if let Some(known) = known.and_then(|known| String::from_utf8(known).ok()) {
        return known;
    }
    let essence = content_type.unwrap_or_default();
    let end = memchr::memchr(b';', essence).unwrap_or(essence.len());
    let essence = essence.get(..end).unwrap_or_default().trim_ascii();
    let essence = String::from_utf8_lossy(essence).to_ascii_lowercase();
    let fits = |extension: &&&str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        extension.len() <= FILE_EXTENSION_MAX && extension.bytes().all(plain)
    };
    preferred_extension(&essence)
        .or_else(|| {
            let all = mime_guess::get_mime_extensions_str(&essence)?;
            all.iter().find(fits).copied()
        })
        .unwrap_or_default()
        .to_owned()
}

/// The longest extension that a file is given.
const FILE_EXTENSION_MAX: usize = 8;

/// The extension that players know best, where a type has several or goes by other names.
fn preferred_extension(essence: &str) -> Option<&'static str> {
    Some(match essence {
        "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "wav",
        "audio/basic" => "au",
        "audio/x-gsm" | "audio/gsm" => "gsm",
        "audio/x-sln" => "sln",
        "audio/ogg" | "application/ogg" => "ogg",
        "audio/opus" => "opus",
        "audio/mpeg" | "audio/mp3" | "audio/x-mp3" => "mp3",
        "audio/mp4" | "audio/x-m4a" | "audio/m4a" => "m4a",
        "audio/aac" | "audio/x-aac" => "aac",
        "audio/flac" | "audio/x-flac" => "flac",
        "audio/aiff" | "audio/x-aiff" => "aiff",
        "application/vnd.apple.mpegurl" | "application/x-mpegurl" => "m3u8",
        "application/dash+xml" => "mpd",
        "video/mp2t" => "ts",
        "video/mp4" => "mp4",
        "video/quicktime" => "mov",
        "video/mpeg" => "mpg",
        "image/jpeg" => "jpg",
        "image/tiff" => "tif",
        "text/html" => "html",
        "text/plain" => "txt",
        "text/javascript" | "application/javascript" => "js",
        "application/octet-stream" => "",
        _ => return None,
    })
}

/// Audio, video and what belongs to them. `extension` is in lower case.
fn media_type(extension: &[u8]) -> Option<&'static str> {
    Some(match extension {
        // Telephony, most of it without a header: the names say what the bytes are.
        b"wav" | b"wave" => "audio/wav",
        b"au" | b"snd" | b"ulaw" | b"ul" | b"mulaw" | b"mu" | b"pcmu" => "audio/basic",
        b"alaw" | b"al" | b"pcma" => "audio/x-alaw-basic",
        b"gsm" => "audio/x-gsm",
        b"g722" => "audio/G722",
        b"g723" => "audio/G723",
        b"g726" => "audio/G726-32",
        b"g729" => "audio/G729",
        b"ilbc" => "audio/iLBC",
        b"sln" | b"sln8" | b"sln12" | b"sln16" | b"sln24" | b"sln32" | b"sln44" | b"sln48"
        | b"sln96" | b"sln192" => "audio/x-sln",
        b"amr" => "audio/AMR",
        b"awb" => "audio/AMR-WB",
        // Audio.
        b"opus" | b"ogg" | b"oga" | b"spx" => "audio/ogg",
        b"mp3" => "audio/mpeg",
        b"m4a" | b"m4b" => "audio/mp4",
        b"aac" | b"adts" => "audio/aac",
        b"flac" => "audio/flac",
        b"weba" => "audio/webm",
        b"aif" | b"aiff" | b"aifc" => "audio/aiff",
        b"mid" | b"midi" | b"kar" => "audio/midi",
        b"mka" => "audio/x-matroska",
        // Playlists and manifests.
        b"m3u8" => "application/vnd.apple.mpegurl",
        b"m3u" => "audio/x-mpegurl",
        b"pls" => "audio/x-scpls",
        b"mpd" => "application/dash+xml",
        b"xspf" => "application/xspf+xml",
        // Segments.
        b"m4s" => "video/iso.segment",
        b"cmfv" => "video/mp4",
        b"cmfa" => "audio/mp4",
        b"cmft" | b"mp4s" => "application/mp4",
        b"ts" | b"m2ts" | b"mts" => "video/mp2t",
        // Video.
        b"mp4" | b"m4v" => "video/mp4",
        b"mov" | b"qt" => "video/quicktime",
        b"webm" => "video/webm",
        b"mkv" => "video/x-matroska",
        b"ogv" => "video/ogg",
        b"avi" => "video/x-msvideo",
        b"mpg" | b"mpeg" => "video/mpeg",
        b"3gp" => "video/3gpp",
        b"3g2" => "video/3gpp2",
        // Subtitles.
        b"vtt" => "text/vtt; charset=utf-8",
        b"srt" => "application/x-subrip",
        b"ttml" | b"dfxp" => "application/ttml+xml",
        _ => return None,
    })
}

/// Pictures, pages, documents and archives. `extension` is in lower case.
fn other_type(extension: &[u8]) -> Option<&'static str> {
    Some(match extension {
        b"jpg" | b"jpeg" | b"jpe" => "image/jpeg",
        b"png" => "image/png",
        b"apng" => "image/apng",
        b"gif" => "image/gif",
        b"webp" => "image/webp",
        b"avif" => "image/avif",
        b"jxl" => "image/jxl",
        b"heic" => "image/heic",
        b"heif" => "image/heif",
        b"svg" => "image/svg+xml",
        b"ico" => "image/vnd.microsoft.icon",
        b"bmp" => "image/bmp",
        b"tif" | b"tiff" => "image/tiff",
        b"html" | b"htm" => "text/html; charset=utf-8",
        b"css" => "text/css; charset=utf-8",
        b"js" | b"mjs" => "text/javascript; charset=utf-8",
        b"txt" | b"text" | b"log" => "text/plain; charset=utf-8",
        b"md" | b"markdown" => "text/markdown; charset=utf-8",
        b"csv" => "text/csv; charset=utf-8",
        b"json" | b"map" => "application/json",
        b"jsonl" | b"ndjson" => "application/x-ndjson",
        b"webmanifest" => "application/manifest+json",
        b"xml" => "application/xml",
        b"yaml" | b"yml" => "application/yaml",
        b"toml" => "application/toml",
        b"wasm" => "application/wasm",
        b"woff" => "font/woff",
        b"woff2" => "font/woff2",
        b"ttf" => "font/ttf",
        b"otf" => "font/otf",
        b"pdf" => "application/pdf",
        b"zip" => "application/zip",
        b"gz" => "application/gzip",
        b"br" => "application/x-brotli",
        b"zst" => "application/zstd",
        b"xz" => "application/x-xz",
        b"bz2" => "application/x-bzip2",
        b"7z" => "application/x-7z-compressed",
        b"tar" => "application/x-tar",
        b"bin" => UNKNOWN,
        _ => return None,
    })
}

/// A guessed type with the charset that text needs.
fn with_charset(guess: &'static str) -> &'static str {
    if !guess.starts_with("text/") {
        return guess;
    }
    let is_same = |known: &&&str| known.strip_suffix("; charset=utf-8") == Some(guess);
    GUESSED_TEXT
        .iter()
        .find(is_same)
        .copied()
        .unwrap_or("text/plain; charset=utf-8")
}

/// The text types that a guess can give, ready to send.
const GUESSED_TEXT: &[&str] = &[
    "text/cache-manifest; charset=utf-8",
    "text/calendar; charset=utf-8",
    "text/coffeescript; charset=utf-8",
    "text/css; charset=utf-8",
    "text/csv; charset=utf-8",
    "text/dlm; charset=utf-8",
    "text/gemini; charset=utf-8",
    "text/h323; charset=utf-8",
    "text/html; charset=utf-8",
    "text/iuls; charset=utf-8",
    "text/jade; charset=utf-8",
    "text/javascript; charset=utf-8",
    "text/less; charset=utf-8",
    "text/markdown; charset=utf-8",
    "text/mathml; charset=utf-8",
    "text/n3; charset=utf-8",
    "text/plain; charset=utf-8",
    "text/prs.lines.tag; charset=utf-8",
    "text/richtext; charset=utf-8",
    "text/scriptlet; charset=utf-8",
    "text/sgml; charset=utf-8",
    "text/shex; charset=utf-8",
    "text/slim; charset=utf-8",
    "text/stylus; charset=utf-8",
    "text/tab-separated-values; charset=utf-8",
    "text/turtle; charset=utf-8",
    "text/uri-list; charset=utf-8",
    "text/vbscript; charset=utf-8",
    "text/vcard; charset=utf-8",
    "text/vnd.curl; charset=utf-8",
    "text/vnd.curl.dcurl; charset=utf-8",
    "text/vnd.curl.mcurl; charset=utf-8",
    "text/vnd.curl.scurl; charset=utf-8",
    "text/vnd.dvb.subtitle; charset=utf-8",
    "text/vnd.fly; charset=utf-8",
    "text/vnd.fmi.flexstor; charset=utf-8",
    "text/vnd.graphviz; charset=utf-8",
    "text/vnd.in3d.3dml; charset=utf-8",
    "text/vnd.in3d.spot; charset=utf-8",
    "text/vnd.sun.j2me.app-descriptor; charset=utf-8",
    "text/vnd.wap.wml; charset=utf-8",
    "text/vnd.wap.wmlscript; charset=utf-8",
    "text/vtt; charset=utf-8",
    "text/webviewhtml; charset=utf-8",
    "text/x-c; charset=utf-8",
    "text/x-component; charset=utf-8",
    "text/x-fortran; charset=utf-8",
    "text/x-gherkin; charset=utf-8",
    "text/x-handlebars-template; charset=utf-8",
    "text/x-hdml; charset=utf-8",
    "text/x-html-insertion; charset=utf-8",
    "text/x-lua; charset=utf-8",
    "text/x-markdown; charset=utf-8",
    "text/x-ms-contact; charset=utf-8",
    "text/x-ms-group; charset=utf-8",
    "text/x-ms-iqy; charset=utf-8",
    "text/x-ms-rqy; charset=utf-8",
    "text/x-nfo; charset=utf-8",
    "text/x-opml; charset=utf-8",
    "text/x-pascal; charset=utf-8",
    "text/x-processing; charset=utf-8",
    "text/x-rust; charset=utf-8",
    "text/x-sass; charset=utf-8",
    "text/x-scss; charset=utf-8",
    "text/x-setext; charset=utf-8",
    "text/x-sfv; charset=utf-8",
    "text/x-suse-ymp; charset=utf-8",
    "text/x-toml; charset=utf-8",
    "text/x-uuencode; charset=utf-8",
    "text/x-vcard; charset=utf-8",
    "text/x-yaml; charset=utf-8",
    "text/xml; charset=utf-8",
];

#[cfg(test)]
mod tests;
