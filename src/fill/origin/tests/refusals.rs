//! What an origin says of the credentials that it was shown.

use super::peer::Peer;
use super::*;
use crate::fill::profile::fault;
use crate::fill::profile::settings::S3Keys;
use crate::fill::profile::{CredentialFault, Environment, Profile, ProfileRule, Secret};

/// What comes of a request with credentials that is refused with these pieces of a body, one write each.
fn refused(pieces: &[&str]) -> Result<Vec<u8>, OriginFault> {
    let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
    let peer = Peer::each(move |_, mut talk| {
        talk.head();
        talk.say(b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n");
        for piece in &pieces {
            crate::sys::clock::pause(Duration::from_millis(30));
            talk.say(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes());
        }
        talk.say(b"0\r\n\r\n");
    });
    let rule = ProfileRule {
        s3: S3Keys {
            access_key_id: Secret::new("AKID"),
            secret_access_key: Secret::new("key"),
            ..S3Keys::default()
        },
        ..ProfileRule::default()
    };
    let mut settings = settings(&[&peer]);
    settings.profile = Some(Arc::new(Profile::new(rule, &Environment::default())));
    settings.asker = Asker::Own;
    run(async {
        let mut response = origin(settings).send(get("/b/a")).await?;
        assert_eq!(response.status, 403);
        whole(&mut response.body).await
    })
}

#[test]
fn refusal_is_read_although_it_comes_in_pieces() {
    let wrong = Err(OriginFault::Credentials(CredentialFault::WrongKey));
    let late = "x".repeat(4000);
    for pieces in [
        &["<Error><Code>SignatureDoesNotMatch</Code></Error>"][..],
        &["<Error><Code>Signature", "DoesNotMatch</Co", "de></Error>"],
        &[
            "<Error><Message>",
            &late,
            "</Message><Code>SignatureDoesNotMatch</Code>",
        ],
    ] {
        assert_eq!(refused(pieces), wrong, "{}", pieces.len());
    }
}

#[test]
fn what_is_about_the_object_is_passed_on_whole() {
    let far = "x".repeat(fault::REFUSAL_BYTES_MAX);
    for pieces in [
        &["<Error><Code>Access", "Denied</Code>", "</Error>"][..],
        &[&far, "<Code>SignatureDoesNotMatch</Code>", "and more"],
        &[],
    ] {
        assert_eq!(refused(pieces), Ok(pieces.concat().into_bytes()));
    }
}
