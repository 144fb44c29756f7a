package slack

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nightlatch/internal/awstest"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify/notifytest"
	"nightlatch/internal/outside/outsidetest"
	"nightlatch/internal/report"
)

const (
	aSecret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:nightlatch/slack-a1b2c3"
	aURL    = "https://hooks.slack.com/services/T000/B000/tok3n"
)

func newChannel(t *testing.T, secret string, slack http.HandlerFunc) *Channel {
	t.Helper()
	c, err := New(outsidetest.Config(t, aSecret, secret), aSecret)
	if err != nil {
		t.Fatal(err)
	}
	if slack != nil {
		fake := httptest.NewTLSServer(slack)
		t.Cleanup(fake.Close)
		c.server.Transport = outsidetest.To(fake, "hooks.slack.com")
	}
	return c
}

// received reads a message as Slack does: with its limits, and by the characters that it reads as its own. It returns the texts as they are shown, the
// commands among them.
func received(t *testing.T, body []byte) (texts, commands []string) {
	t.Helper()
	var p struct {
		Text        string
		UnfurlLinks *bool `json:"unfurl_links"`
		UnfurlMedia *bool `json:"unfurl_media"`
		Blocks      []struct {
			Type string
			Text struct {
				Type, Text string
				Emoji      *bool
				Verbatim   bool
			}
		}
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if len(p.Blocks) == 0 || len(p.Blocks) > 50 || p.Text == "" || p.UnfurlLinks == nil || *p.UnfurlLinks || p.UnfurlMedia == nil || *p.UnfurlMedia {
		t.Errorf("%d blocks, text %q, links %v", len(p.Blocks), p.Text, p.UnfurlLinks)
	}
	shown := func(s string) string {
		if strings.ContainsAny(s, "<>") || regexp.MustCompile(`&(amp;|lt;|gt;)?`).FindAllString(s, -1) != nil && strings.Contains(regexp.MustCompile(`&(amp|lt|gt);`).ReplaceAllString(s, ""), "&") {
			t.Errorf("Slack reads %q as its own", s)
		}
		return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
	}
	shown(p.Text)
	for i, b := range p.Blocks {
		most := 3000
		if b.Type == "header" {
			most = 150
		}
		if n := len([]rune(b.Text.Text)); n == 0 || n > most || b.Type != "section" && (b.Type != "header" || i > 0) {
			t.Errorf("block %d is a %s of %d characters", i, b.Type, n)
		}
		if b.Text.Type == "mrkdwn" && b.Text.Verbatim && ourLink.MatchString(b.Text.Text) {
			texts = append(texts, b.Text.Text)
			continue
		}
		text := shown(b.Text.Text)
		switch command, fenced := strings.CutPrefix(text, "```"); {
		case b.Text.Type == "plain_text" && b.Text.Emoji != nil && !*b.Text.Emoji:
			texts = append(texts, text)
		case b.Text.Type == "mrkdwn" && b.Text.Verbatim && fenced && b.Type == "section" && strings.Index(command, "```") == len(command)-3:
			commands = append(commands, strings.TrimSuffix(command, "```"))
		default:
			t.Errorf("block %d is formatted: %+v", i, b.Text)
		}
	}
	return texts, commands
}

// ourLink is the one link that there may be.
var ourLink = regexp.MustCompile(`^<https://eu-west-1\.console\.aws\.amazon\.com/s3/object/nightlatch-cases-[0-9a-f-]{36}\?region=eu-west-1&amp;prefix=[a-z0-9-]{1,40}/page\.html\|Its page, once it is kept, behind a sign-in>$`)

// The page of an incident can be opened from where it is kept, and nothing else is a link.
func TestThePageIsALink(t *testing.T) {
	r := notifytest.Stolen()
	r.Place = incident.Place{AccountID: "111122223333", Region: "eu-west-1", Cases: "nightlatch-cases-8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f"}
	for _, kind := range []incident.MessageKind{incident.Answer, incident.Closing} {
		body, err := json.Marshal(payloadOf(report.Write(kind, r)))
		if err != nil {
			t.Fatal(err)
		}
		links := 0
		texts, _ := received(t, body)
		for _, text := range texts {
			if ourLink.MatchString(text) {
				links++
			}
		}
		if links != 1 {
			t.Errorf("%s: %d links in %q", kind, links, texts)
		}
	}
}

func TestACommandIsCopiedAsItIs(t *testing.T) {
	var texts, commands []string
	c := newChannel(t, aURL+"\n", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/services/T000/B000/tok3n" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s %s, %v", r.Method, r.URL, r.Header)
		}
		body, _ := io.ReadAll(r.Body)
		texts, commands = received(t, body)
		fmt.Fprint(w, "ok")
	})
	if got, want := c.Name(), "slack:"+aSecret; got != want || !incident.ForPeople(got) {
		t.Errorf("it is called %q, want %q, which is for people", got, want)
	}
	r := notifytest.Stolen()
	m := report.Write(incident.Answer, r)
	if err := c.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if texts[0] != m.Subject || !strings.Contains(strings.Join(texts, "\n"), "Incident 20260304-one, mode act") {
		t.Errorf("got %q", texts)
	}
	for _, want := range append(r.Outcomes[1].Runbook, r.Outcomes[0].Undo) {
		if !strings.Contains("\n"+strings.Join(commands, "\n")+"\n", "\n"+want+"\n") {
			t.Errorf("got the commands %q, want %q among them", commands, want)
		}
	}
}

func TestWhatOthersChoseDoesNothingInSlack(t *testing.T) {
	for name, m := range notifytest.Messages() {
		body, err := json.Marshal(payloadOf(m))
		if err != nil {
			t.Fatal(err)
		}
		_, commands := received(t, body)
		for _, c := range commands {
			if !notifytest.OurCommand(c) {
				t.Errorf("%q makes a command: %q", name, c)
			}
		}
	}
}

func TestWhatIsTooMuchForSlackIsLeftOut(t *testing.T) {
	r := notifytest.Stolen()
	for _, command := range []string{"aws " + strings.Repeat("<", 1000), "aws ```"} {
		r.Outcomes[1].Runbook = []string{command}
		body, _ := json.Marshal(payloadOf(report.Write(incident.Answer, r)))
		texts, commands := received(t, body)
		if strings.Contains(strings.Join(commands, ""), command[4:]) || !strings.Contains(strings.Join(texts, "\n"), "A command does not fit here.") {
			t.Errorf("got the commands %q", commands)
		}
	}
	for range 40 {
		r.Outcomes = append(r.Outcomes, r.Outcomes[0])
		r.Outcomes[len(r.Outcomes)-1].Runbook = []string{"aws a", "aws b", "aws c", "aws d"}
	}
	body, _ := json.Marshal(payloadOf(report.Write(incident.Answer, r)))
	if texts, _ := received(t, body); !strings.HasPrefix(texts[len(texts)-1], "More of it stands in the e-mail") {
		t.Errorf("the last text is %q", texts[len(texts)-1])
	}
}

func TestWhatSlackAnswers(t *testing.T) {
	answers := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	for says, slack := range map[string]http.HandlerFunc{
		"": answers(200, "ok"),
		"answers with something else than Slack does":                     answers(200, "<!DOCTYPE html><p>Sign in\n"),
		"is refused by Slack with channel_is_archived (HTTP 410)":         answers(410, "channel_is_archived"),
		"is refused by Slack with invalid_payload (HTTP 400)":             answers(400, "invalid_payload\n"),
		"answers with HTTP 404, and":                                      answers(404, "<html>not found"),
		"answers with HTTP 429, and wants to be called again after 30 s":  answers(429, "rate_limited"),
		"answers with HTTP 500, and wants to be called again after 30 s;": answers(500, "rollup_error"),
		"answers with a redirect (HTTP 302), which is not followed": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://slack.com/signin", http.StatusFound)
		},
		"no answer came": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		var posts atomic.Int32
		err := newChannel(t, aURL, func(w http.ResponseWriter, r *http.Request) {
			posts.Add(1)
			slack(w, r)
		}).Send(t.Context(), report.Message{Subject: "s", Body: "b"})
		if (err == nil) != (says == "") || err != nil && (!strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "tok3n") || strings.ContainsAny(err.Error(), "<\n")) || posts.Load() != 1 {
			t.Errorf("%s: got %v after %d posts", says, err, posts.Load())
		}
	}
}

func TestASlowSlackIsLeft(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	defer close(over)
	c := newChannel(t, aURL, func(http.ResponseWriter, *http.Request) { <-over })
	began := time.Now()
	err := c.Send(t.Context(), report.Message{Subject: "s", Body: "b"})
	if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "it did not answer in time") || took > timeout+2*time.Second {
		t.Errorf("got %v after %s", err, took)
	}
}

func TestWhatIsNoURLOfSlacks(t *testing.T) {
	for secret, says := range map[string]string{
		"": "is no URL", "hooks.slack.com/services/tok3n": "is no URL", `{"url":"` + aURL + `"}`: "is no URL", "http://hooks.slack.com/services/tok3n": "is not https",
		"https://10.0.0.1/services/tok3n": "which is no public address", "!ResourceNotFoundException": "there is no such secret; make it, or correct the setting slack",
	} {
		err := newChannel(t, secret, nil).Send(t.Context(), report.Message{Subject: "s", Body: "b"})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "tok3n") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %q", secret, err, says)
		}
	}
	if _, err := New(awstest.Config("http://127.0.0.1"), aURL); err == nil {
		t.Error("a URL is taken for a secret's ARN")
	}
}
