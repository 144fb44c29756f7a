package report

// Message is one report, ready to be sent.
type Message struct {
	// Subject is printable ASCII, under 100 characters, on one line: what SNS takes as the subject of an e-mail.
	// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
	Subject string
	// Body is plain text; everything that a caller could choose in it is escaped.
	Body string
}
