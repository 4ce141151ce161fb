//! Reading a request's form.

use std::collections::BTreeMap;

use super::Fault;

/// A request, or one structure in it: values by their dotted names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    values: BTreeMap<String, String>,
}

impl Request {
    pub(crate) fn parse(body: &[u8]) -> Self {
        Self {
            values: form_urlencoded::parse(body).into_owned().collect(),
        }
    }

    /// A value; an empty one counts as absent, as on AWS.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, Fault> {
        self.text(name).ok_or_else(|| {
            Fault::new(
                "MissingParameter",
                format!("The request must contain the parameter {name}."),
            )
        })
    }

    /// A true or false value.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        match self.text(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(malformed(name, other)),
        }
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Fault> {
        self.text(name)
            .map(|text| text.parse().map_err(|_| malformed(name, text)))
            .transpose()
    }

    pub(crate) fn time(&self, name: &str) -> Result<Option<jiff::Timestamp>, Fault> {
        self.number(name)
    }

    /// The structures of a list, from `Name.Member.1.…`; some clients write `member` for every list's member.
    pub(crate) fn structures(&self, name: &str, member: &str) -> Vec<Self> {
        let named = self.numbered(&format!("{name}.{member}."));
        if named.is_empty() {
            self.numbered(&format!("{name}.member."))
        } else {
            named
        }
    }

    /// The texts of a list.
    pub(crate) fn texts(&self, name: &str, member: &str) -> Vec<String> {
        self.structures(name, member)
            .into_iter()
            .filter_map(|item| item.values.get("").cloned())
            .collect()
    }

    /// The filters of a Describe action: name and values.
    pub(crate) fn filters(&self) -> Result<Vec<(String, Vec<String>)>, Fault> {
        let filters = self.structures("Filters", "Filter");
        filters
            .iter()
            .map(|filter| Ok((filter.required("Name")?.to_owned(), filter.texts("Values", "Value"))))
            .collect()
    }

    fn numbered(&self, prefix: &str) -> Vec<Self> {
        let mut items: BTreeMap<u32, BTreeMap<String, String>> = BTreeMap::new();
        let range = self
            .values
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix));
        for (key, value) in range {
            let rest = &key[prefix.len()..];
            let (number, field) = rest.split_once('.').unwrap_or((rest, ""));
            if let Ok(number) = number.parse() {
                items.entry(number).or_default().insert(field.to_owned(), value.clone());
            }
        }
        items.into_values().map(|values| Self { values }).collect()
    }
}

fn malformed(name: &str, value: &str) -> Fault {
    Fault::new("MalformedInput", format!("The value {value} of {name} cannot be read."))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bodies recorded from boto3 1.44.8.
    #[test]
    fn recorded_forms() {
        let request = Request::parse(
            b"Action=RestoreDBClusterToPointInTime&Version=2014-10-31&DBClusterIdentifier=b\
              &SourceDBClusterIdentifier=a&RestoreType=copy-on-write&UseLatestRestorableTime=true\
              &VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-1&VpcSecurityGroupIds.VpcSecurityGroupId.2=sg-2\
              &EnableCloudwatchLogsExports.member.1=postgresql&Tags.Tag.1.Key=k&Tags.Tag.1.Value=a%26b%3Dc\
              &ServerlessV2ScalingConfiguration.MinCapacity=0.5&ServerlessV2ScalingConfiguration.MaxCapacity=2",
        );
        assert_eq!(request.text("Action"), Some("RestoreDBClusterToPointInTime"));
        assert_eq!(request.flag("UseLatestRestorableTime").unwrap(), Some(true));
        assert_eq!(
            request.texts("VpcSecurityGroupIds", "VpcSecurityGroupId"),
            ["sg-1", "sg-2"]
        );
        assert_eq!(request.texts("EnableCloudwatchLogsExports", "member"), ["postgresql"]);
        let tags = request.structures("Tags", "Tag");
        assert_eq!((tags[0].text("Key"), tags[0].text("Value")), (Some("k"), Some("a&b=c")));
        assert_eq!(
            request.text("ServerlessV2ScalingConfiguration.MinCapacity"),
            Some("0.5")
        );

        let request = Request::parse(
            b"Action=DescribeDBClusters&Version=2014-10-31&Filters.Filter.1.Name=clone-group-id\
              &Filters.Filter.1.Values.Value.1=a%2Fb+c&Filters.Filter.1.Values.Value.2=d&MaxRecords=20",
        );
        let values = vec!["a/b c".to_owned(), "d".to_owned()];
        assert_eq!(request.filters().unwrap(), [("clone-group-id".to_owned(), values)]);
        assert_eq!(request.number("MaxRecords").unwrap(), Some(20_usize));

        let request = Request::parse(
            b"Action=DescribeEvents&Version=2014-10-31&StartTime=2026-11-25T06%3A00%3A00Z\
              &EventCategories.EventCategory.1=maintenance&SourceType=db-cluster&SourceIdentifier=b",
        );
        assert_eq!(
            request.time("StartTime").unwrap(),
            Some("2026-11-25T06:00:00Z".parse().unwrap())
        );
        assert_eq!(request.texts("EventCategories", "EventCategory"), ["maintenance"]);
        assert_eq!(
            (request.text("SourceArn"), request.flag("Absent").unwrap()),
            (None, None)
        );
    }

    /// Members come in the order of their numbers, not of their digits; `member` stands for any member's name.
    #[test]
    fn numbered_members() {
        let request = Request::parse(b"P.A.1.N=one&P.A.10.N=ten&P.A.2.N=two&Q.member.1=x&Empty=");
        let names: Vec<_> = request
            .structures("P", "A")
            .iter()
            .map(|item| item.required("N").unwrap().to_owned())
            .collect();
        assert_eq!(names, ["one", "two", "ten"]);
        assert_eq!(request.texts("Q", "Named"), ["x"]);
        assert_eq!(request.text("Empty"), None);
    }

    #[test]
    fn unreadable_values_are_refused() {
        let request = Request::parse(b"MaxRecords=many&SkipFinalSnapshot=yes");
        assert_eq!(
            request.number::<usize>("MaxRecords").unwrap_err().code,
            "MalformedInput"
        );
        assert_eq!(request.flag("SkipFinalSnapshot").unwrap_err().code, "MalformedInput");
        assert_eq!(
            request.required("DBClusterIdentifier").unwrap_err().code,
            "MissingParameter"
        );
    }
}
