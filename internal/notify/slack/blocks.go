package slack

import (
	"slices"
	"strings"

	"nightlatch/internal/report"
)

// Slack's limits, in characters: https://docs.slack.dev/reference/block-kit/blocks, https://docs.slack.dev/reference/block-kit/composition-objects/text-object
const (
	maxBlocks = 50
	maxText   = 3000
	maxHeader = 150
)

// fence stands around a code block.
const fence = "```"

type (
	// payload is a message; its text is what a notification shows.
	payload struct {
		Text   string  `json:"text"`
		Blocks []block `json:"blocks"`
		// Links are not fetched by Slack, nor shown as what they lead to.
		Links bool `json:"unfurl_links"`
		Media bool `json:"unfurl_media"`
	}
	block struct {
		Type string `json:"type"`
		Text *text  `json:"text,omitempty"`
	}
	text struct {
		Type string `json:"type"`
		Text string `json:"text"`
		// Emoji is for plain text: false leaves :fire: as it stands. Verbatim is for mrkdwn: true links no names.
		Emoji    *bool `json:"emoji,omitempty"`
		Verbatim bool  `json:"verbatim,omitempty"`
	}
)

// payloadOf is a message as Slack takes it. What does not fit is left out from the end, and that is said.
func payloadOf(m report.Message) payload {
	p := payload{Text: escaped(m.Subject, maxText)}
	if m.Subject != "" {
		p.Blocks = []block{{"header", plain(m.Subject, maxHeader)}}
	}
	for _, part := range report.Parts(m) {
		switch {
		case part.Link != "":
			p.Blocks = append(p.Blocks, block{"section", &text{Type: "mrkdwn", Text: "<" + escape(part.Link) + "|" + escape(part.Label()) + ">", Verbatim: true}})
		case !part.Command:
			p.Blocks = append(p.Blocks, block{"section", plain(part.Text, maxText)})
		case strings.Contains(part.Text, fence) || len(escape(part.Text))+2*len(fence) > maxText: // it would end the block, or be another command
			p.Blocks = append(p.Blocks, block{"section", plain("A command does not fit here. It stands in the e-mail, and in nightlatch incident.", maxText)})
		default:
			p.Blocks = append(p.Blocks, block{"section", &text{Type: "mrkdwn", Text: fence + escape(part.Text) + fence, Verbatim: true}})
		}
	}
	if len(p.Blocks) > maxBlocks {
		p.Blocks = append(slices.Clip(p.Blocks[:maxBlocks-1]), block{"section", plain("More of it stands in the e-mail, and in nightlatch incident.", maxText)})
	}
	return p
}

// plain is a text in which nothing is formatted, linked or drawn.
func plain(s string, most int) *text {
	return &text{Type: "plain_text", Text: escaped(s, most), Emoji: new(bool)}
}

// entities are the characters that Slack reads as its own, and how they are written: https://docs.slack.dev/messaging/formatting-message-text#escaping
var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func escape(s string) string { return entities.Replace(s) }

// escaped is a text of at most so many characters, as it is written.
func escaped(s string, most int) string {
	const end = "..."
	whole := escape(s)
	if len(whole) <= most {
		return whole
	}
	n := 0
	for i := range s {
		if n += len(escape(s[i : i+1])); n > most-len(end) {
			return escape(s[:i]) + end
		}
	}
	return whole
}
