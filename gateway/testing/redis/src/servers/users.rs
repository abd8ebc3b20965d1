//! What users of a server may do.

use crate::{login::Login, servers::server::Server};

impl Server {
    /// Gives a user these rights of an ACL and no others. The user may not exist yet.
    pub async fn set_user(&self, login: &Login, rights: &[&str]) {
        let password = format!(">{}", login.password);
        self.command(&[&["ACL", "SETUSER", &login.user, "reset", "on", &password], rights].concat()).await;
    }
}
