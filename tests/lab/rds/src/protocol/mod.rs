//! The AWS query protocol: a form as the request, XML as the answer
//! (<https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>).

mod fault;
mod request;
mod xml;

pub(crate) use fault::Fault;
pub(crate) use request::Request;
pub(crate) use xml::Xml;

/// The namespace and version of the RDS API.
const NAMESPACE: &str = "http://rds.amazonaws.com/doc/2014-10-31/";

/// The document of a successful answer; `result` is empty for actions without a result.
pub(crate) fn answer(action: &str, result: Xml, request_id: &str) -> String {
    let result = result.finish();
    let result = match result.as_str() {
        "" => String::new(),
        body => format!("<{action}Result>{body}</{action}Result>"),
    };
    format!(
        "<{action}Response xmlns=\"{NAMESPACE}\">{result}<ResponseMetadata><RequestId>{request_id}</RequestId>\
         </ResponseMetadata></{action}Response>"
    )
}

/// The document of a refusal.
pub(crate) fn refusal(fault: &Fault, request_id: &str) -> String {
    let mut xml = Xml::default();
    xml.element("Error", |xml| {
        xml.text("Type", if fault.status < 500 { "Sender" } else { "Receiver" });
        xml.text("Code", fault.code);
        xml.text("Message", &fault.message);
    });
    xml.text("RequestId", request_id);
    format!("<ErrorResponse xmlns=\"{NAMESPACE}\">{}</ErrorResponse>", xml.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_refusals() {
        let mut result = Xml::default();
        result.list("TagList", "Tag", [("owner", "a<b>&c")], |xml, (key, value)| {
            xml.text("Key", key);
            xml.text("Value", value);
        });
        assert_eq!(
            answer("ListTagsForResource", result, "r1"),
            "<ListTagsForResourceResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><ListTagsForResourceResult>\
             <TagList><Tag><Key>owner</Key><Value>a&lt;b&gt;&amp;c</Value></Tag></TagList></ListTagsForResourceResult>\
             <ResponseMetadata><RequestId>r1</RequestId></ResponseMetadata></ListTagsForResourceResponse>"
        );
        assert_eq!(
            answer("AddTagsToResource", Xml::default(), "r2"),
            "<AddTagsToResourceResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><ResponseMetadata>\
             <RequestId>r2</RequestId></ResponseMetadata></AddTagsToResourceResponse>"
        );
        assert_eq!(
            refusal(&Fault::cluster_not_found("shop"), "r3"),
            "<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><Error><Type>Sender</Type>\
             <Code>DBClusterNotFoundFault</Code><Message>DBCluster shop not found.</Message></Error>\
             <RequestId>r3</RequestId></ErrorResponse>"
        );
    }
}
