//! Keys, certificates and tokens of one cluster.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rand::Rng as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::{Error, Result};

/// Who speaks to the API server with a token of the token file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    Admin,
    ControllerManager,
    Scheduler,
    Node,
}

impl Account {
    const ALL: [Self; 4] = [Self::Admin, Self::ControllerManager, Self::Scheduler, Self::Node];

    /// The name of its kubeconfig.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::ControllerManager => "controller-manager",
            Self::Scheduler => "scheduler",
            Self::Node => "node",
        }
    }

    /// User and groups. Kubernetes binds its own roles to the components' users
    /// (<https://kubernetes.io/docs/reference/access-authn-authz/rbac/#core-component-roles>).
    fn user(self) -> (&'static str, &'static str) {
        match self {
            Self::Admin => ("admin", "system:masters"),
            Self::ControllerManager => ("system:kube-controller-manager", ""),
            Self::Scheduler => ("system:kube-scheduler", ""),
            Self::Node => ("lab:node-agent", "system:masters"),
        }
    }
}

/// The folder with everything secret of a cluster.
#[derive(Debug)]
pub(crate) struct Pki {
    folder: PathBuf,
    pub(crate) ca_pem: String,
    tokens: Vec<(Account, String)>,
}

impl Pki {
    /// Makes all keys, certificates and tokens anew.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(Vec::<String>::new())?;
        parameters.distinguished_name = name("Local Kubernetes", None);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_pem = parameters.self_signed(&key)?.pem();
        let issuer = Issuer::new(parameters, key);

        let mut random = rand::rng();
        let tokens = Account::ALL.map(|account| (account, format!("{:032x}", random.random::<u128>())));
        let pki = Self {
            folder: folder.to_owned(),
            ca_pem,
            tokens: tokens.into(),
        };
        write_secret(&pki.path("ca.crt"), &pki.ca_pem)?;
        let server = ExtendedKeyUsagePurpose::ServerAuth;
        pki.issue(&issuer, "apiserver", name("kube-apiserver", None), server.clone())?;
        pki.issue(&issuer, "kubelet", name("node-agent", None), server)?;
        let client = name("kube-apiserver", Some("system:masters"));
        pki.issue(&issuer, "kubelet-client", client, ExtendedKeyUsagePurpose::ClientAuth)?;
        let service_accounts = KeyPair::generate()?;
        write_secret(&pki.path("service-account.key"), &service_accounts.serialize_pem())?;
        write_secret(&pki.path("service-account.pub"), &service_accounts.public_key_pem())?;
        let lines = pki.tokens.iter().map(|(account, token)| {
            let (user, group) = account.user();
            format!("{token},{user},{},{group}", account.name())
        });
        write_secret(
            &pki.path("tokens.csv"),
            &lines.collect::<Vec<_>>().join(
                "
",
            ),
        )?;
        Ok(pki)
    }

    /// A file of the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The token of one of the accounts.
    pub(crate) fn token(&self, account: Account) -> &str {
        let found = self.tokens.iter().find(|(known, _)| *known == account);
        found.map_or("", |(_, token)| token)
    }

    fn issue(
        &self,
        issuer: &Issuer<'_, KeyPair>,
        file: &str,
        subject: DistinguishedName,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<()> {
        let key = KeyPair::generate()?;
        let names = ["localhost", "kubernetes", "kubernetes.default.svc"].map(str::to_owned);
        let mut parameters = CertificateParams::new(names)?;
        parameters.distinguished_name = subject;
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        parameters.subject_alt_names.push(SanType::IpAddress(address));
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![usage];
        let certificate = parameters.signed_by(&key, issuer)?;
        write_secret(&self.path(&format!("{file}.crt")), &certificate.pem())?;
        write_secret(&self.path(&format!("{file}.key")), &key.serialize_pem())
    }
}

/// Writes a file that only its owner may read.
pub(crate) fn write_secret(path: &Path, content: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).map_err(Error::file("create", path))?;
    file.write_all(content.as_bytes()).map_err(Error::file("write", path))
}

fn name(common: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name
}
