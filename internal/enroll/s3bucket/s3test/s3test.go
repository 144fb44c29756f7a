// Package s3test is a fake of Amazon S3 that remembers buckets, their policies, whether they may be public, and their request-metrics
// configurations, with S3's limits:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketMetricsConfiguration.html
package s3test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Most is how many configurations a bucket holds.
const Most = 1000

// maxPolicy is how long a bucket's policy may be: https://docs.aws.amazon.com/AmazonS3/latest/userguide/add-bucket-policy.html
const maxPolicy = 20 << 10

// Fault is what goes wrong with a call. The zero Fault is none.
type Fault struct {
	Status int    // 0 with a Code is 403
	Code   string // S3's error code
	After  bool   // the call takes effect, and only then fails
	Hang   bool   // no answer comes until the caller gives up
}

// Call is one request: the operation's name, the bucket, and the configuration's id.
type Call struct{ Op, Bucket, ID string }

type bucket struct {
	region  string
	configs map[string]string // id -> what stands in <Filter>, "" for none
	policy  string            // "" for none
	block   string            // its public access block as XML, "" for none
	tags    map[string]string
}

// Server is S3 in one region, which is that of the requests' signatures.
type Server struct {
	*httptest.Server
	region string

	mu      sync.Mutex
	buckets map[string]*bucket
	calls   []Call
	faults  func(Call) Fault
}

// New starts S3 in a region.
func New(region string) *Server {
	s := &Server{region: region, buckets: map[string]*bucket{}, faults: func(Call) Fault { return Fault{} }}
	s.Server = httptest.NewServer(s)
	return s
}

// Make makes buckets in a region.
func (s *Server) Make(region string, names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range names {
		s.buckets[n] = &bucket{region: region, configs: map[string]string{}}
	}
}

// Drop deletes a bucket.
func (s *Server) Drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.buckets, name)
}

// Put gives a bucket a configuration; filter is the XML in its Filter, "" for the whole bucket.
func (s *Server) Put(name, id, filter string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buckets[name].configs[id] = filter
}

// Tag gives a bucket tags; none takes them away.
func (s *Server) Tag(name string, tags map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buckets[name].tags = tags
}

// PolicyOf is a bucket's policy, "" where it has none, and whether it may not be public.
func (s *Server) PolicyOf(name string) (policy string, blocked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buckets[name].policy, s.buckets[name].block != ""
}

// Policy gives a bucket a policy.
func (s *Server) Policy(name, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buckets[name].policy = text
}

// Configs are all configurations, "bucket/id" or "bucket/id filtered".
func (s *Server) Configs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []string{}
	for name, b := range s.buckets {
		for id, filter := range b.configs {
			if filter != "" {
				id += " filtered"
			}
			all = append(all, name+"/"+id)
		}
	}
	slices.Sort(all)
	return all
}

// Fail sets what goes wrong from now on.
func (s *Server) Fail(faults func(Call) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = faults
}

// Calls takes the requests that came since it was last asked.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

var scope = regexp.MustCompile(`Credential=[^/]+/[0-9]{8}/([a-z0-9-]+)/s3/aws4_request`)

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(r.URL.Path, "/")
	call := Call{Bucket: name, ID: r.URL.Query().Get("id")}
	switch {
	case name == "" && r.Method == http.MethodGet:
		call.Op = "ListBuckets"
	case r.URL.Query().Has("metrics"):
		call.Op = map[string]string{"GET": "Get", "PUT": "Put", "DELETE": "Delete"}[r.Method] + "BucketMetricsConfiguration"
	case (r.Method == http.MethodGet || r.Method == http.MethodPut) && r.URL.Query().Has("policy"):
		call.Op = map[string]string{"GET": "Get", "PUT": "Put"}[r.Method] + "BucketPolicy"
	case (r.Method == http.MethodGet || r.Method == http.MethodPut) && r.URL.Query().Has("publicAccessBlock"):
		call.Op = map[string]string{"GET": "Get", "PUT": "Put"}[r.Method] + "PublicAccessBlock"
	case r.Method == http.MethodGet && r.URL.Query().Has("tagging"):
		call.Op = "GetBucketTagging"
	case r.Method == http.MethodGet && r.URL.Query().Has("lifecycle"):
		call.Op = "GetBucketLifecycleConfiguration"
	default:
		refuse(w, 501, "NotImplemented")
		return
	}
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.calls = append(s.calls, call)
	fault := s.faults(call)
	s.mu.Unlock()
	if fault.Hang {
		<-r.Context().Done()
		return
	}
	if m := scope.FindStringSubmatch(r.Header.Get("Authorization")); m == nil || m[1] != s.region {
		refuse(w, 400, "AuthorizationHeaderMalformed")
		return
	}
	broken := fault.Code != "" || fault.Status != 0
	if broken && !fault.After {
		refuse(w, fault.Status, fault.Code)
		return
	}
	answer := http.ResponseWriter(w)
	if broken {
		answer = httptest.NewRecorder() // nobody reads it
	}
	s.mu.Lock()
	if call.Op == "ListBuckets" {
		s.list(answer, r)
	} else {
		s.configuration(answer, call, body)
	}
	s.mu.Unlock()
	if broken {
		refuse(w, fault.Status, fault.Code)
	}
}

// list answers ListBuckets. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	most, err := strconv.Atoi(r.URL.Query().Get("max-buckets"))
	if err != nil || most < 1 || most > 10000 {
		refuse(w, 400, "InvalidArgument")
		return
	}
	var page strings.Builder
	next := ""
	for i, name := range after(slices.Sorted(maps.Keys(s.buckets)), r.URL.Query().Get("continuation-token")) {
		if i == most {
			break
		}
		fmt.Fprintf(&page, "<Bucket><Name>%s</Name><BucketRegion>%s</BucketRegion></Bucket>", name, s.buckets[name].region)
		if i == most-1 {
			next = "<ContinuationToken>after-" + name + "</ContinuationToken>"
		}
	}
	fmt.Fprintf(w, "<ListAllMyBucketsResult><Buckets>%s</Buckets>%s</ListAllMyBucketsResult>", page.String(), next)
}

func after(names []string, token string) []string {
	last := strings.TrimPrefix(token, "after-")
	return slices.DeleteFunc(names, func(n string) bool { return n <= last })
}

// configuration answers the three calls about one configuration.
func (s *Server) configuration(w http.ResponseWriter, c Call, body []byte) {
	b := s.buckets[c.Bucket]
	switch {
	case b == nil:
		refuse(w, 404, "NoSuchBucket")
		return
	case b.region != s.region:
		w.Header().Set("X-Amz-Bucket-Region", b.region)
		refuse(w, 301, "PermanentRedirect")
		return
	}
	filter, exists := b.configs[c.ID]
	switch c.Op {
	case "GetBucketPolicy":
		if b.policy == "" {
			refuse(w, 404, "NoSuchBucketPolicy")
			return
		}
		io.WriteString(w, b.policy)
	case "PutBucketPolicy":
		if len(body) > maxPolicy || !json.Valid(body) {
			refuse(w, 400, "MalformedPolicy")
			return
		}
		b.policy = string(body)
		w.WriteHeader(http.StatusNoContent)
	case "GetPublicAccessBlock":
		if b.block == "" {
			refuse(w, 404, "NoSuchPublicAccessBlockConfiguration")
			return
		}
		io.WriteString(w, b.block)
	case "PutPublicAccessBlock":
		b.block = string(body)
	case "GetBucketTagging":
		if len(b.tags) == 0 {
			refuse(w, 404, "NoSuchTagSet")
			return
		}
		var set strings.Builder
		for _, key := range slices.Sorted(maps.Keys(b.tags)) {
			set.WriteString("<Tag><Key>")
			xml.EscapeText(&set, []byte(key))
			set.WriteString("</Key><Value>")
			xml.EscapeText(&set, []byte(b.tags[key]))
			set.WriteString("</Value></Tag>")
		}
		fmt.Fprintf(w, `<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet>%s</TagSet></Tagging>`, set.String())
	case "GetBucketLifecycleConfiguration":
		refuse(w, 404, "NoSuchLifecycleConfiguration")
	case "GetBucketMetricsConfiguration":
		if !exists {
			refuse(w, 404, "NoSuchConfiguration")
			return
		}
		if filter != "" {
			filter = "<Filter>" + filter + "</Filter>"
		}
		fmt.Fprintf(w, `<MetricsConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Id>%s</Id>%s</MetricsConfiguration>`, c.ID, filter)
	case "PutBucketMetricsConfiguration":
		var in struct {
			XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ MetricsConfiguration"`
			ID      string   `xml:"Id"`
			Filter  *struct {
				Inner string `xml:",innerxml"`
			}
		}
		switch err := xml.Unmarshal(body, &in); {
		case err != nil || in.ID != c.ID || c.ID == "" || in.Filter != nil && in.Filter.Inner == "":
			refuse(w, 400, "MalformedXML")
			return
		case !exists && len(b.configs) == Most:
			refuse(w, 400, "TooManyConfigurations")
			return
		}
		if b.configs[c.ID] = ""; in.Filter != nil {
			b.configs[c.ID] = in.Filter.Inner
		}
	case "DeleteBucketMetricsConfiguration":
		if !exists {
			refuse(w, 404, "NoSuchConfiguration")
			return
		}
		delete(b.configs, c.ID)
		w.WriteHeader(http.StatusNoContent)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	if status == 0 {
		status = http.StatusForbidden
	}
	w.WriteHeader(status)
	if code != "" {
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message><RequestId>1</RequestId></Error>", code)
	}
}
