//! The rights of a server's users.

use crate::{login::Login, servers::server::Server};

impl Server {
    /// Sets the ACL rights of a user, and removes all others. Creates the user if it does not exist.
    pub async fn set_user(&self, login: &Login, rights: &[&str]) {
        let password = format!(">{}", login.password);
        self.command(&[&["ACL", "SETUSER", &login.user, "reset", "on", &password], rights].concat()).await;
    }
}
