//! Tags.

use super::answers;
use crate::lab::Lab;
use crate::protocol::{Fault, Request, Xml};
use crate::state::write_tags;

pub(super) fn add(lab: &Lab, request: &Request) -> Result<Xml, Fault> {
    let tags = answers::tags(request)?;
    lab.world().tags_mut(request.required("ResourceName")?)?.extend(tags);
    Ok(Xml::default())
}

pub(super) fn list(lab: &Lab, request: &Request) -> Result<Xml, Fault> {
    let mut xml = Xml::default();
    write_tags(&mut xml, lab.world().tags_mut(request.required("ResourceName")?)?);
    Ok(xml)
}

pub(super) fn remove(lab: &Lab, request: &Request) -> Result<Xml, Fault> {
    let keys = request.texts("TagKeys", "member");
    lab.world()
        .tags_mut(request.required("ResourceName")?)?
        .retain(|key, _| !keys.contains(key));
    Ok(Xml::default())
}
