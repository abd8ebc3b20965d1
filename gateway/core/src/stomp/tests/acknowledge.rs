use super::*;

#[test]
fn client_ack_modes_have_an_ack_header() {
    for (mode, ack) in [("", ""), ("ack:auto\n", ""), ("ack:client\n", " ack:abcd1234-7"), ("ack:client-individual\n", " ack:abcd1234-7")] {
        let mut page = Page::alice();
        page.send(&format!("SUBSCRIBE\nid:1\ndestination:/topic/a\n{mode}x-position:abcd1234-6\n\n"));
        let lines = page.answer(2, recovered(Recovery::Recovered, &[7]));
        assert!(lines[0].starts_with(&format!("MESSAGE subscription:1 destination:/topic/a{ack} message-id:abcd1234-7")), "{lines:?}");
    }
}

#[test]
fn acknowledgements_of_every_version_are_accepted() {
    for (version, headers) in [
        (Version::V1_0, "message-id:undefined"),
        (Version::V1_1, "message-id:a-1\nsubscription:9"),
        (Version::V1_2, "id:undefined"),
        (Version::V1_2, "id:abcd1234-7\nsubscription:1\nmessage-id:x"),
    ] {
        for command in ["ACK", "NACK"] {
            let lines = Page::connected(version).send(&format!("{command}\n{headers}\nreceipt:r\n\n"));
            if (version, command) == (Version::V1_0, "NACK") {
                assert!(lines[0].contains("STOMP 1.0 has no NACK"), "{lines:?}");
            } else {
                assert_eq!(lines, ["RECEIPT receipt-id:r"], "{command} {headers}");
            }
        }
    }
}

#[test]
fn acknowledgements_without_their_headers_are_refused() {
    for (version, headers, missing) in [
        (Version::V1_0, "id:a-1", "message-id"),
        (Version::V1_1, "message-id:a-1", "subscription"),
        (Version::V1_1, "subscription:1", "message-id"),
        (Version::V1_2, "message-id:a-1", "id"),
        (Version::V1_2, "id:", "id"),
        (Version::V1_2, "id:a\ntransaction:t", "transaction"),
    ] {
        let lines = Page::connected(version).send(&format!("ACK\n{headers}\nreceipt:r\n\n"));
        assert!(lines[0].contains("receipt-id:r") && lines[0].contains(missing) && lines.len() == 2, "{lines:?}");
    }
}
