//! Tags: whose something is.
use std::collections::BTreeMap;

use aws_sdk_rds::types::Tag;

use crate::{Error, Rds};

/// The tag that says whose an AWS resource is. What carries another value, or none, is never changed or deleted.
pub const OWNER: &str = "pgupgrade.dev/owner";

pub(crate) fn from_sdk(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())))
        .collect()
}

pub(crate) fn to_sdk(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

impl Rds {
    /// Adds tags to what an ARN names, or changes their values.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn add_tags(&self, arn: &str, tags: &BTreeMap<String, String>) -> Result<(), Error> {
        let call = self
            .client
            .add_tags_to_resource()
            .resource_name(arn)
            .set_tags(Some(to_sdk(tags)));
        call.send().await.map(drop).map_err(Error::of("AddTagsToResource", arn))
    }

    /// Removes tags. Those that are not there are no error.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn remove_tags(&self, arn: &str, keys: &[&str]) -> Result<(), Error> {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        let call = self
            .client
            .remove_tags_from_resource()
            .resource_name(arn)
            .set_tag_keys(Some(keys));
        match call
            .send()
            .await
            .map(drop)
            .map_err(Error::of("RemoveTagsFromResource", arn))
        {
            Err(error) if error.is_not_found() => Ok(()),
            result => result,
        }
    }

    /// The tags of what an ARN names.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, Error> {
        let call = self.client.list_tags_for_resource().resource_name(arn);
        let answer = call.send().await.map_err(Error::of("ListTagsForResource", arn))?;
        Ok(from_sdk(answer.tag_list()))
    }

    /// Refuses where an object's owner tag is not `owner`.
    pub(crate) async fn ours(
        &self,
        operation: &'static str,
        object: &str,
        arn: &str,
        owner: Option<&String>,
    ) -> Result<(), Error> {
        let tags = self.tags(arn).await?;
        if owner.is_some() && tags.get(OWNER) == owner {
            return Ok(());
        }
        let found = tags
            .get(OWNER)
            .map_or("missing".to_owned(), |found| format!("{found:?}"));
        let message = format!("it exists and its tag {OWNER} is {found}: it is not ours; rename or delete it");
        Err(Error::refused(operation, object, message))
    }
}
