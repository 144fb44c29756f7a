package granttest

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"
)

// useTheKey is a permission that SNS asks for in the publisher's name, where the topic is encrypted:
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
const useTheKey = "kms:GenerateDataKey"

// refuse refuses as each service does, in its own protocol and with its own code; the words are AWS's:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func (a *AWS) refuse(w http.ResponseWriter, service string, c Call) {
	resource := c.Resource
	if service == "iam" && resource != "*" { // "on resource: user mara"
		kind, name, _ := strings.Cut(resource[strings.LastIndex(resource, ":")+1:], "/")
		resource = kind + " " + name[strings.LastIndex(name, "/")+1:]
	}
	message := fmt.Sprintf("User: arn:aws:sts::%s:assumed-role/Nightlatch-ResponderRole-x1/Nightlatch-Responder-x1 is not authorized to perform: "+
		"%s on resource: %s because no identity-based policy allows the %s action", a.Account, a.Deny, resource, a.Deny)
	code, status := "AccessDenied", http.StatusForbidden
	switch {
	case c.Action == a.Deny && service == "sns":
		code = "AuthorizationError" // https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
	case service == "sns":
		code, status = "KMSAccessDenied", http.StatusBadRequest
	}
	switch service {
	case "scheduler":
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-ErrorType", "AccessDeniedException")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]string{"Message": message})
	case "cloudtrail", "athena", "organizations", "dynamodb", "sqs", "events", "secretsmanager":
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{"__type": "AccessDeniedException", "Message": message})
	case "monitoring":
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		w.Header().Set("Content-Type", "application/cbor")
		w.WriteHeader(status)
		w.Write(cbor.Encode(cbor.Map{"__type": cbor.String(code), "message": cbor.String(message)}))
	case "s3":
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message><RequestId>1</RequestId></Error>", code, escaped(message))
	default:
		w.WriteHeader(status)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>1</RequestId></ErrorResponse>", code, escaped(message))
	}
}

func escaped(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	return b.String()
}
