package sns

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"nightlatch/internal/incident"
	"nightlatch/internal/notify/notifytest"
	"nightlatch/internal/report"
)

// chat is a topic of a chat behind a fake SNS.
func (f *fakeSNS) chat() *Chat {
	f.t.Helper()
	return &Chat{f.topic(), func() time.Time { return time.Unix(1, 0) }}
}

// shown reads a message as Amazon Q does, and its Markdown as Slack and as CommonMark do. It returns the texts as Slack shows them, each a block of code, and
// the thread.
func shown(t *testing.T, message string) (title string, blocks []string, thread string, pages int) {
	t.Helper()
	var m struct {
		Version, Source, ID string
		Content             struct{ TextType, Title, Description string }
		Metadata            *struct{ ThreadID *string }
	}
	decoder := json.NewDecoder(strings.NewReader(message))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		t.Fatalf("%v: %s", err, message)
	}
	c := m.Content
	if m.Version != "1.0" || m.Source != "custom" || m.ID == "" || c.TextType != "client-markdown" || len(c.Title) > 250 || len(c.Description) > 8000 || c.Description == "" {
		t.Errorf("Amazon Q shows nothing of %d, %d, %.300s", len(c.Title), len(c.Description), message)
	}
	if m.Metadata != nil && m.Metadata.ThreadID != nil {
		thread = *m.Metadata.ThreadID
	}
	inSlack := func(s string) string {
		if strings.ContainsAny(s, "<>") || strings.Contains(regexp.MustCompile(`&(amp|lt|gt);`).ReplaceAllString(s, ""), "&") {
			t.Errorf("Slack reads %q as its own", s)
		}
		return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
	}
	title = inSlack(strings.Trim(c.Title, "`"))
	heading := goldmark.DefaultParser().Parse(text.NewReader([]byte(c.Title)))
	if p := heading.FirstChild(); heading.ChildCount() != 1 || p.ChildCount() != 1 || p.FirstChild().Kind() != ast.KindCodeSpan {
		t.Errorf("the title is formatted: %s", c.Title)
	}
	source := []byte(c.Description)
	for n := range children(goldmark.DefaultParser().Parse(text.NewReader(source))) {
		if line := string(n.Lines().Value(source)); n.Kind() == ast.KindParagraph && ourPage.MatchString(line) {
			pages++
			continue
		}
		if n.Kind() != ast.KindFencedCodeBlock {
			t.Errorf("a %s stands outside of code in %.300q", n.Kind(), c.Description)
			continue
		}
		blocks = append(blocks, inSlack(strings.TrimSuffix(string(n.Lines().Value(source)), "\n")))
	}
	// Slack knows of a block of code what stands between two fences, wherever they stand.
	if between := strings.Split(c.Description, "```"); len(between) != 2*len(blocks)+1 || strings.TrimSpace(between[0]+between[len(between)-1]) != "" {
		t.Errorf("Slack sees other blocks than CommonMark in %.300q", c.Description)
	} else {
		for i := 2; i < len(between)-1; i += 2 {
			if outside := strings.TrimSpace(between[i]); outside != "" && !ourPage.MatchString(outside) {
				t.Errorf("%q stands outside of code", between[i])
			}
		}
	}
	return title, blocks, thread, pages
}

// ourPage is the one line that may stand outside of code.
var ourPage = regexp.MustCompile(`^Its page, once it is kept, behind a sign-in: https://eu-west-1\.console\.aws\.amazon\.com/s3/object/nightlatch-cases-[0-9a-f-]{36}\?region=eu-west-1&amp;prefix=[a-z0-9-]{1,40}/page\.html$`)

// The page of an incident can be opened from where it is kept.
func TestThePageIsALinkInAChat(t *testing.T) {
	r := notifytest.Stolen()
	for _, want := range []int{0, 1} {
		body, err := json.Marshal(chatOf(report.Write(incident.Answer, r), time.Unix(1, 0)))
		if err != nil {
			t.Fatal(err)
		}
		if _, blocks, _, pages := shown(t, string(body)); pages != want || len(blocks) < 4 {
			t.Errorf("%d links beside %d blocks, want %d", pages, len(blocks), want)
		}
		r.Place = incident.Place{AccountID: "111122223333", Region: "eu-west-1", Cases: "nightlatch-cases-8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f"}
	}
}

func children(n ast.Node) func(func(ast.Node) bool) {
	return func(yield func(ast.Node) bool) {
		for c := n.FirstChild(); c != nil && yield(c); c = c.NextSibling() {
		}
	}
}

func TestAChatShowsAnIncidentInOneThread(t *testing.T) {
	f := &fakeSNS{t: t}
	c := f.chat()
	if got := c.Name(); got != "chat:"+arn || incident.ForPeople(got) {
		t.Errorf("it is called %q, and of what it takes it is not known who reads it", got)
	}
	r := notifytest.Stolen()
	answer := report.Write(incident.Answer, r)
	for _, m := range []report.Message{answer, report.Write(incident.Closing, r), {Subject: "TEST", Body: "nothing has happened\n"}} {
		if err := c.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	var threads []string
	for _, sent := range f.sent {
		_, _, thread, _ := shown(t, sent.Get("Message"))
		threads = append(threads, thread)
	}
	if len(threads) != 3 || threads[0] != r.ID || threads[1] != r.ID || threads[2] != "" {
		t.Errorf("the threads are %q", threads)
	}
	title, blocks, _, _ := shown(t, f.sent[0].Get("Message"))
	if title != answer.Subject || !strings.Contains(blocks[len(blocks)-1], "Incident 20260304-one, mode act") {
		t.Errorf("got %q: %q", title, blocks)
	}
	all := "\n" + strings.Join(blocks, "\n---\n") + "\n"
	for _, want := range []string{r.Outcomes[0].Undo, r.Outcomes[1].Runbook[1]} {
		if !strings.Contains(all, "\n---\n"+want+"\n---\n") {
			t.Errorf("got %s\nwant %s alone", all, want)
		}
	}
	// A chat that does not read Slack's escapes would show another command.
	if strings.Contains(all, "put-bucket-policy") || !strings.Contains(all, "A command does not fit here.") {
		t.Errorf("got %s", all)
	}
}

func TestWhatOthersChoseDoesNothingInAChat(t *testing.T) {
	for name, m := range notifytest.Messages() {
		c := chatOf(m, time.Unix(1, 0))
		body, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		_, blocks, thread, _ := shown(t, string(body))
		if len(m.Of) > 0 && thread != "" && thread != m.Of[0].ID {
			t.Errorf("%s: the thread is %q", name, thread)
		}
		for _, b := range blocks {
			// A command that is to be copied is a block of its own.
			if (strings.HasPrefix(b, "aws ") || strings.HasPrefix(b, "nightlatch ")) && !notifytest.OurCommand(b) {
				t.Errorf("%s makes a command: %q", name, b)
			}
		}
	}
}

func TestWhatIsTooMuchForAChatIsLeftOut(t *testing.T) {
	r := notifytest.Stolen()
	for range 40 {
		r.Outcomes = append(r.Outcomes, r.Outcomes[0])
		r.Outcomes[len(r.Outcomes)-1].Runbook = []string{"aws a", "aws b", "aws c", "aws " + strings.Repeat("d", 500)}
	}
	body, err := json.Marshal(chatOf(report.Write(incident.Answer, r), time.Unix(1, 0)))
	if err != nil {
		t.Fatal(err)
	}
	_, blocks, _, _ := shown(t, string(body))
	if last := blocks[len(blocks)-1]; !strings.HasSuffix(last, "More of it stands in the e-mail, and in nightlatch incident.") || len(blocks) < 10 {
		t.Errorf("%d blocks, the last of them %q", len(blocks), last)
	}
}

func TestAChatsTopicFailsAsTopicsDo(t *testing.T) {
	t.Parallel()
	for fault, says := range map[string]string{"NotFound": "there is no such topic", "AuthorizationError": "may not call sns:Publish", "InternalError": "HTTP 500", "page": "see whether a proxy stands between"} {
		err := (&fakeSNS{t: t, faults: []string{fault}}).chat().Send(t.Context(), report.Message{Subject: "s", Body: "b"})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v", fault, err)
		}
	}
	if _, err := NewChat(aws.Config{}, "nightlatch"); err == nil {
		t.Error("a name is taken for a topic's ARN")
	}
}
