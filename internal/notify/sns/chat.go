package sns

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/grant"
	"nightlatch/internal/incident"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/notify"
	"nightlatch/internal/report"
)

// The most characters of a title and of a description. AWS's page names none; others who send such messages do, and what is longer is not shown.
const (
	maxTitle       = 250
	maxDescription = 8000
)

// Chat is a topic of which Amazon Q Developer in chat applications shows the messages in Slack or Microsoft Teams. It shows nothing but a form of its
// own, and drops in silence whatever else the topic gets. https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
//
// All text but the link to the incident's page stands in code, where neither chat formats, links or mentions anything, with the three characters escaped
// that Slack reads as its own there too. It is safe for use by several goroutines.
type Chat struct {
	topic *Topic
	now   func() time.Time
}

var _ notify.Channel = (*Chat)(nil)

// NewChat makes a channel to such a topic, in the region that the topic's ARN names.
func NewChat(cfg aws.Config, arn string) (*Chat, error) {
	topic, err := New(cfg, arn)
	if err != nil {
		return nil, err
	}
	return &Chat{topic, time.Now}, nil
}

// ChatGrants are the permissions that a chat's Send needs.
func ChatGrants() []grant.Grant {
	return []grant.Grant{{Sid: "TellTheChat", Actions: []string{"sns:Publish"}, On: []string{"${Chat}"}}}
}

// Name says which topic this is.
func (c *Chat) Name() string { return incident.ChatChannel + c.topic.arn }

// Send publishes one message.
func (c *Chat) Send(ctx context.Context, m report.Message) error {
	body, err := json.Marshal(chatOf(m, c.now()))
	if err != nil {
		return fmt.Errorf("the message %q for a chat: %v", m.Subject, err)
	}
	return c.topic.Send(ctx, report.Message{Body: string(body)})
}

type (
	chatMessage struct {
		Version  string       `json:"version"`
		Source   string       `json:"source"`
		ID       string       `json:"id"`
		Content  chatContent  `json:"content"`
		Metadata chatMetadata `json:"metadata,omitzero"`
	}
	chatContent struct {
		TextType    string `json:"textType"`
		Title       string `json:"title"`
		Description string `json:"description"`
	}
	// chatMetadata: messages of one thread id stand in one thread, where the chat channel's preferences say so.
	chatMetadata struct {
		ThreadID string `json:"threadId,omitempty"`
	}
)

// plainID is an incident's id; anything else makes no thread.
var plainID = lazyregexp.New(`^[a-z0-9-]{1,64}$`)

// address is an address of ours, in which there is nothing that a chat formats.
var address = lazyregexp.New(`^https://[a-z0-9./?=&-]+$`)

// chatOf is a message as Amazon Q takes it. A message about several incidents stands in the thread of the first.
func chatOf(m report.Message, now time.Time) chatMessage {
	c := chatMessage{Version: "1.0", Source: "custom", ID: m.Name(now), Content: chatContent{"client-markdown", inCode(m.Subject), description(report.Parts(m))}}
	if len(m.Of) > 0 && plainID.MatchString(m.Of[0].ID) {
		c.Metadata.ThreadID = m.Of[0].ID
	}
	return c
}

const (
	fence   = "```\n"
	noFit   = "A command does not fit here. It stands in the e-mail, and in nightlatch incident."
	moreOf  = "More of it stands in the e-mail, and in nightlatch incident."
	fenced  = 2*len(fence) + len("\n\n")
	forMore = len(moreOf) + fenced
)

// description are parts as blocks of code: each command alone in one, to be copied, and what stands between two commands in one. What does not fit is left out
// from the end, and that is said.
func description(parts []report.Part) string {
	var b strings.Builder
	var between []string
	flush := func() {
		if len(between) > 0 {
			fmt.Fprintf(&b, "%s%s\n%s\n", fence, strings.Join(between, "\n\n"), fence[:3])
			between = nil
		}
	}
	room := maxDescription - forMore
	for _, p := range parts {
		text, command := inFence(p.Text), p.Command
		if command && text != p.Text { // it would be another command where a chat does not read the escapes
			text, command = noFit, false
		}
		if room -= len(text) + fenced; room < 0 {
			between = append(between, moreOf)
			break
		}
		if p.Link != "" && address.MatchString(p.Link) { // outside of code, where both chats make a link of it and read the escapes
			flush()
			b.WriteString(text + "\n")
			continue
		}
		if !command {
			between = append(between, text)
			continue
		}
		flush()
		fmt.Fprintf(&b, "%s%s\n%s\n", fence, text, fence[:3])
	}
	flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// entities are the characters that Slack reads as its own in code too, and how they are written: https://docs.slack.dev/messaging/formatting-message-text#escaping
var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// inFence is a text that stands in a block of code and does not end it.
func inFence(s string) string { return entities.Replace(strings.ReplaceAll(s, "```", "'''")) }

// inCode is a title in code, cut where it does not fit.
func inCode(s string) string {
	s = strings.ToValidUTF8(cmp.Or(strings.ReplaceAll(s, "`", "'")[:min(len(s), maxTitle)], "Nightlatch"), "")
	for len(entities.Replace(s)) > maxTitle-len("``") {
		s = s[:len(s)-1]
	}
	return "`" + entities.Replace(s) + "`"
}
