package sns

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nightlatch/internal/awstest"
	"nightlatch/internal/clock"
	"nightlatch/internal/notify"
	"nightlatch/internal/report"
)

// A message that SNS takes has arrived only where one of the deployment's endpoints hears it. What cannot be read is unknown, and believed.
func TestAMessageIsHeardOrItIsNot(t *testing.T) {
	ours := notify.Endpoint{Protocol: "email", Address: "soc@example.com"}
	member := func(address, arn string) string {
		return "<member><Protocol>email</Protocol><Endpoint>" + address + "</Endpoint><SubscriptionArn>" + arn + "</SubscriptionArn></member>"
	}
	for name, c := range map[string]struct {
		listed, attributes string // "!" refuses
		heard              bool
		cached             bool // and believed for a while
	}{
		"confirmed":                      {member("soc@example.com", arn+":1"), "", true, true},
		"confirmed, beside a pending":    {member("soc@example.com", "PendingConfirmation") + member("soc@example.com", arn+":1"), "", true, true},
		"not confirmed":                  {member("soc@example.com", "PendingConfirmation"), "", false, false},
		"deleted":                        {member("soc@example.com", "Deleted"), "", false, false},
		"gone":                           {"", "", false, false},
		"a stranger alone":               {member("thief@example.com", arn+":1"), "", false, false},
		"filtered":                       {member("soc@example.com", arn+":1"), "<entry><key>FilterPolicy</key><value>{\"a\":[\"b\"]}</value></entry>", false, false},
		"a filter that holds back none":  {member("soc@example.com", arn+":1"), "<entry><key>FilterPolicy</key><value>{}</value></entry>", true, true},
		"pending, as its attributes say": {member("soc@example.com", arn+":1"), "<entry><key>PendingConfirmation</key><value>true</value></entry>", false, false},
		"may not be listed":              {"!", "", true, true},
		"may not be read":                {member("soc@example.com", arn+":1"), "!", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			published, lists, log := 0, 0, &bytes.Buffer{}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := r.ParseForm(); err != nil {
					t.Error(err)
				}
				answer := map[string]string{"ListSubscriptionsByTopic": c.listed, "GetSubscriptionAttributes": c.attributes}[r.Form.Get("Action")]
				if r.Form.Get("Action") == "ListSubscriptionsByTopic" {
					lists++
				}
				switch action := r.Form.Get("Action"); {
				case action == "Publish":
					published++
					fmt.Fprint(w, "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>")
				case answer == "!":
					w.WriteHeader(http.StatusForbidden)
					fmt.Fprint(w, "<ErrorResponse><Error><Type>Sender</Type><Code>AuthorizationError</Code><Message>no</Message></Error></ErrorResponse>")
				case action == "ListSubscriptionsByTopic":
					fmt.Fprintf(w, "<ListSubscriptionsByTopicResponse><ListSubscriptionsByTopicResult><Subscriptions>%s</Subscriptions></ListSubscriptionsByTopicResult></ListSubscriptionsByTopicResponse>", answer)
				default:
					fmt.Fprintf(w, "<GetSubscriptionAttributesResponse><GetSubscriptionAttributesResult><Attributes><entry><key>SubscriptionArn</key><value>%s</value></entry>%s</Attributes></GetSubscriptionAttributesResult></GetSubscriptionAttributesResponse>",
						r.Form.Get("SubscriptionArn"), answer)
				}
			}))
			defer server.Close()
			team, err := Heard(awstest.Config(server.URL), arn, []notify.Endpoint{ours}, slog.New(slog.NewTextHandler(log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			send := func() {
				t.Helper()
				err := team.Send(t.Context(), report.Message{Subject: "s", Body: "b"})
				if (err == nil) != c.heard || err != nil && (!strings.Contains(err.Error(), "nobody hears it: of the deployment's 1 endpoint none is") || strings.Contains(err.Error(), "\n")) {
					t.Errorf("got %v", err)
				}
			}
			send()
			send()
			if want := map[bool]int{true: 1, false: 2}[c.cached]; published != 2 || lists != want {
				t.Errorf("%d messages, %d lists, want 2 and %d", published, lists, want)
			}
			if denied := strings.HasPrefix(name, "may not"); denied != strings.Contains(log.String(), "may not call sns:") {
				t.Errorf("the log says %s", log)
			}
		})
	}
	// Without a list of endpoints nobody is asked.
	team, err := Heard(awstest.Config("http://127.0.0.1:1"), arn, nil, nil)
	if _, plain := team.(*Topic); err != nil || !plain {
		t.Errorf("got %v, %v", team, err)
	}
}

// The team's topic and the watchers' own count what nobody hears as not sent, each by its own list; of others' topics nothing is asked.
func TestADeploymentsTopicsAreHeard(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("Action") == "Publish" {
			fmt.Fprint(w, "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>")
			return
		}
		fmt.Fprint(w, "<ListSubscriptionsByTopicResponse><ListSubscriptionsByTopicResult><Subscriptions/></ListSubscriptionsByTopicResult></ListSubscriptionsByTopicResponse>")
	}))
	defer server.Close()
	dir := t.TempDir()
	for file, list := range map[string]string{notify.EndpointsFile: `[{"protocol":"email","address":"a@example.com"}]`, notify.WatchersFile: `[{"protocol":"sms","address":"+49151"},{"protocol":"sms","address":"+49152"}]`} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := Deployment{Team: arn, Others: []string{arn + "-chat"}, Watchers: []string{arn + "-watch", arn + "-theirs"}, Dir: dir}
	team, watchers, err := d.Channels(awstest.Config(server.URL), clock.System{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"of the deployment's 1 endpoint none", "", "of the deployment's 2 endpoints none", ""} {
		c := append(team, watchers...)[i]
		if err := c.Send(t.Context(), report.Message{Subject: "s", Body: "b"}); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", c.Name(), err)
		}
	}
}
