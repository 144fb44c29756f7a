// Package advisortest plays IAM's reports on the services that somebody has tried, for tests: moto has none. Everything else it passes on.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetServiceLastAccessedDetails.html
package advisortest

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Service is one line of a report.
type Service struct {
	Namespace string
	Tried     time.Time // zero where it was not
}

// IAM answers the calls about reports, and has Next answer all others.
type IAM struct {
	Next http.Handler
	// Services are in each report, PerPage at once; 0 is all of them.
	Services []Service
	PerPage  int
	// Busy is how often a report is not written yet; Fails has each fail with a code.
	Busy  int
	Fails string

	mu   sync.Mutex
	jobs map[string]int // how often each was asked for
}

type result struct {
	XMLName xml.Name
	JobId   string  `xml:",omitempty"`
	Status  string  `xml:"JobStatus,omitempty"`
	Created string  `xml:"JobCreationDate,omitempty"`
	Done    string  `xml:"JobCompletionDate,omitempty"`
	Lines   []line  `xml:"ServicesLastAccessed>member,omitempty"`
	Error   *failed `xml:",omitempty"`
	More    bool    `xml:"IsTruncated"`
	Marker  string  `xml:",omitempty"`
}

type line struct{ ServiceName, ServiceNamespace, LastAuthenticated string }

// MarshalXML leaves out when a service was tried that was not, as IAM does.
func (l line) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return e.EncodeElement(struct {
		ServiceName, ServiceNamespace string
		LastAuthenticated             string `xml:",omitempty"`
	}(l), start)
}

type failed struct{ Message, Code string }

func (i *IAM) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	form, _ := url.ParseQuery(string(body)) // what is none is another service's
	i.mu.Lock()
	defer i.mu.Unlock()
	switch form.Get("Action") {
	case "GenerateServiceLastAccessedDetails":
		id := fmt.Sprintf("0b8a2a3e-1f0e-4b5a-9d0c-%012d", len(i.jobs))
		if i.jobs == nil {
			i.jobs = map[string]int{}
		}
		i.jobs[id] = 0
		answer(w, form, result{JobId: id})
	case "GetServiceLastAccessedDetails":
		id := form.Get("JobId")
		asked, known := i.jobs[id]
		if !known {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>No such job</Message></Error></ErrorResponse>`)
			return
		}
		i.jobs[id]++
		answer(w, form, i.report(asked, form.Get("Marker")))
	default:
		i.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		i.Next.ServeHTTP(w, r)
		i.mu.Lock()
	}
}

// report is a job's report as it is when it is asked for after so many times, from a marker on.
func (i *IAM) report(asked int, marker string) result {
	const created = "2026-03-04T12:00:00Z"
	switch {
	case asked < i.Busy:
		return result{Status: "IN_PROGRESS", Created: created}
	case i.Fails != "":
		return result{Status: "FAILED", Created: created, Done: created, Error: &failed{"it failed", i.Fails}}
	}
	from := 0
	fmt.Sscanf(marker, "from-%d", &from)
	to := len(i.Services)
	if i.PerPage > 0 {
		to = min(to, from+i.PerPage)
	}
	r := result{Status: "COMPLETED", Created: created, Done: created}
	for _, s := range i.Services[from:to] {
		l := line{ServiceName: "The service " + s.Namespace, ServiceNamespace: s.Namespace}
		if !s.Tried.IsZero() {
			l.LastAuthenticated = s.Tried.UTC().Format(time.RFC3339)
		}
		r.Lines = append(r.Lines, l)
	}
	if r.More = to < len(i.Services); r.More {
		r.Marker = fmt.Sprintf("from-%d", to)
	}
	return r
}

// answer is IAM's envelope of a result: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GenerateServiceLastAccessedDetails.html
func answer(w http.ResponseWriter, form url.Values, r result) {
	action := form.Get("Action")
	r.XMLName.Local = action + "Result"
	text, err := xml.Marshal(r)
	if err != nil {
		panic(err) // it is texts
	}
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(w, `<%sResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">%s</%sResponse>`, action, text, action)
}
