//! What is wrong with credentials: those that can't be had, and those that the origin refuses.

use std::fmt;

use crate::http::date;
use crate::http::fields::{FieldLines as _, Fields};
use crate::units::UnixSeconds;

/// Why a request could not be made with a profile's credentials, or was refused for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialFault {
    /// There are none, wherever they were looked for.
    Missing,
    /// Whoever has them did not give them in time.
    Late,
    /// They are of no use: a key that is not of its form, a file that can't be read.
    Unusable,
    /// The request can't be signed: its path is not UTF-8 once decoded.
    Unsignable,
    /// The origin does not know the key's name.
    UnknownKey,
    /// The signature is not that of the key that the origin knows.
    WrongKey,
    /// The clocks of both sides differ too much: the origin's less ours, in seconds, where it told its own.
    Skew(Option<i64>),
    /// The session is over, or its token is none.
    Expired,
    /// The bucket is in another region.
    Region,
}

impl CredentialFault {
    /// A short name; a label of metrics and a code of JSON answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "credentials_missing",
            Self::Late => "credentials_late",
            Self::Unusable => "credentials_unusable",
            Self::Unsignable => "unsignable",
            Self::UnknownKey => "unknown_key",
            Self::WrongKey => "wrong_key",
            Self::Skew(_) => "clock_skew",
            Self::Expired => "credentials_expired",
            Self::Region => "wrong_region",
        }
    }

    /// Whether other keys than those that were shown would do.
    #[must_use]
    pub const fn is_of_the_keys(self) -> bool {
        matches!(self, Self::UnknownKey | Self::WrongKey | Self::Expired)
    }

    /// Whether trying again later may help without anybody changing the config: keys in files and roles come and go.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        matches!(
            self,
            Self::Missing | Self::Late | Self::Unusable | Self::Skew(_) | Self::Expired
        )
    }
}

impl fmt::Display for CredentialFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Missing => {
                "no credentials: none in the profile, the environment, the shared files or a role; set the profile's keys"
            }
            Self::Late => {
                "the credentials did not come in time: the service or the file that has them does not answer within connect_timeout"
            }
            Self::Unusable => {
                "the credentials can't be used: a file that can't be read, or a key that is not of its form"
            }
            Self::Unsignable => "the path is not UTF-8, so it can't be signed",
            Self::UnknownKey => {
                "the origin does not know the key's name: access_key_id or account is wrong, or was deleted"
            }
            Self::WrongKey => {
                "the origin refuses the signature: secret_access_key or account_key does not belong to the key's name"
            }
            Self::Skew(Some(seconds)) => {
                let word = if *seconds > 0 { "behind" } else { "ahead of" };
                return write!(
                    f,
                    "the clock of this machine is {} s {word} the origin's, which refuses such signatures; set the clock",
                    seconds.unsigned_abs()
                );
            }
            Self::Skew(None) => {
                "the clock of this machine differs too much from the origin's, which refuses such signatures; set the clock"
            }
            Self::Expired => "the session of these credentials is over; get new ones",
            Self::Region => {
                "the bucket is in another region; set the profile's region to the bucket's"
            }
        };
        f.write_str(text)
    }
}

/// Most bytes of a refusal that are looked at.
pub const REFUSAL_BYTES_MAX: usize = 8 << 10;

/// Clocks further apart than this are called wrong; services refuse from 15 minutes on.
const SKEW_SECONDS: i64 = 600;

/// What a refusal says about the credentials; none where it is about something else. `body` is its beginning.
#[must_use]
pub fn refusal(
    status: u16,
    fields: &Fields,
    body: &[u8],
    now: UnixSeconds,
) -> Option<CredentialFault> {
    if !matches!(status, 400 | 401 | 403) {
        return None;
    }
    let body = body.get(..REFUSAL_BYTES_MAX).unwrap_or(body);
    let code = fields
        .value("x-ms-error-code")
        .or_else(|| element(body, b"Code"))
        .unwrap_or_default();
    let skew = skew(fields, now);
    let is_far = skew.is_some_and(|skew| skew.abs() > SKEW_SECONDS);
    let fault = match code {
        b"SignatureDoesNotMatch" => CredentialFault::WrongKey,
        b"InvalidAccessKeyId" | b"InvalidClientTokenId" => CredentialFault::UnknownKey,
        b"RequestTimeTooSkewed" => CredentialFault::Skew(skew.filter(|_| is_far)),
        b"ExpiredToken" | b"InvalidToken" | b"TokenRefreshRequired" => CredentialFault::Expired,
        b"AuthorizationHeaderMalformed" => CredentialFault::Region,
        // Azure has one word for a wrong key, a wrong clock and a token that is over.
        b"AuthenticationFailed" if is_far => CredentialFault::Skew(skew),
        b"AuthenticationFailed" | b"InvalidAuthenticationInfo" => CredentialFault::WrongKey,
        // HEAD is refused without a body: what is left to see is the clock.
        b"" if is_far && status == 403 => CredentialFault::Skew(skew),
        _ => return None,
    };
    Some(fault)
}

/// The code that a refusal gives, for people: letters and digits only.
#[must_use]
pub fn code_of(fields: &Fields, body: &[u8]) -> Option<String> {
    let code = fields
        .value("x-ms-error-code")
        .or_else(|| element(body, b"Code"))?;
    let is_plain = !code.is_empty()
        && code.len() <= 64
        && code.iter().all(|octet| octet.is_ascii_alphanumeric());
    is_plain.then(|| String::from_utf8_lossy(code).into_owned())
}

/// The origin's clock less ours, in seconds, by its Date field.
fn skew(fields: &Fields, now: UnixSeconds) -> Option<i64> {
    let told = date::parse(fields.value("date")?)?;
    let (told, now) = (i64::try_from(told.0).ok()?, i64::try_from(now.0).ok()?);
    Some(told - now)
}

/// The text of the first element of this name.
fn element<'b>(body: &'b [u8], name: &[u8]) -> Option<&'b [u8]> {
    let open = [b"<", name, b">"].concat();
    let close = [b"</", name, b">"].concat();
    let start = memchr::memmem::find(body, &open)? + open.len();
    let rest = body.get(start..)?;
    let end = memchr::memmem::find(rest, &close)?;
    rest.get(..end).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::new();
        for (name, value) in lines {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        fields
    }

    fn s3(code: &str) -> String {
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>x</Message></Error>")
    }

    #[test]
    fn codes_of_s3_are_told_apart() {
        let cases = [
            ("SignatureDoesNotMatch", Some(CredentialFault::WrongKey)),
            ("InvalidAccessKeyId", Some(CredentialFault::UnknownKey)),
            ("RequestTimeTooSkewed", Some(CredentialFault::Skew(None))),
            ("ExpiredToken", Some(CredentialFault::Expired)),
            (
                "AuthorizationHeaderMalformed",
                Some(CredentialFault::Region),
            ),
            ("AccessDenied", None),
            ("NoSuchKey", None),
        ];
        for (code, expected) in cases {
            let found = refusal(403, &Fields::new(), s3(code).as_bytes(), NOW);
            assert_eq!(found, expected, "{code}");
        }
        assert_eq!(
            refusal(
                404,
                &Fields::new(),
                s3("SignatureDoesNotMatch").as_bytes(),
                NOW
            ),
            None
        );
    }

    #[test]
    fn skew_is_told_from_the_date() {
        let late = fields(&[("date", "Tue, 14 Nov 2023 23:13:20 GMT")]);
        let found = refusal(403, &late, s3("RequestTimeTooSkewed").as_bytes(), NOW);
        assert_eq!(found, Some(CredentialFault::Skew(Some(3600))));
        let text = found.unwrap().to_string();
        assert!(text.contains("3600 s behind the origin's"), "{text}");
        // HEAD, and Azure, which says nothing of clocks.
        assert_eq!(
            refusal(403, &late, b"", NOW),
            Some(CredentialFault::Skew(Some(3600)))
        );
        let azure = fields(&[
            ("x-ms-error-code", "AuthenticationFailed"),
            ("date", "Tue, 14 Nov 2023 21:13:20 GMT"),
        ]);
        let found = refusal(403, &azure, b"", NOW);
        assert_eq!(found, Some(CredentialFault::Skew(Some(-3600))));
        assert!(found.unwrap().to_string().contains("ahead of"));
    }

    #[test]
    fn azure_says_it_in_a_field() {
        let azure = fields(&[
            ("x-ms-error-code", "AuthenticationFailed"),
            ("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ]);
        assert_eq!(
            refusal(403, &azure, b"", NOW),
            Some(CredentialFault::WrongKey)
        );
        assert_eq!(
            code_of(&azure, b"").as_deref(),
            Some("AuthenticationFailed")
        );
        assert_eq!(code_of(&Fields::new(), b"<Code>a b</Code>"), None);
    }
}
