// Package trailtest is a fake of CloudTrail's trails and of Organizations, as far as a trail is read, that remembers what they are:
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Operations.html
package trailtest

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
)

// Object is a JSON object.
type Object = map[string]any

// Server answers for the trails of one account and region.
type Server struct {
	mu     sync.Mutex
	trails map[string]*Trail
	org    string
	fail   func(operation string) (status int, code, message string)
	calls  []string
}

// Trail is a trail as AWS shows it: what GetTrail, GetTrailStatus and GetEventSelectors answer.
type Trail struct{ Trail, Status, Selectors Object }

// New has no trails, and an account in no organization.
func New() *Server {
	return &Server{trails: map[string]*Trail{}, fail: func(string) (int, string, string) { return 0, "", "" }}
}

// Make makes a multi-region trail that is logging management events and every data event of S3, as a basic selector has it.
func (s *Server) Make(arn, bucket string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	region := strings.Split(arn, ":")[3]
	s.trails[arn] = &Trail{
		Object{"TrailARN": arn, "Name": arn[strings.LastIndex(arn, "/")+1:], "S3BucketName": bucket, "HomeRegion": region, "IsMultiRegionTrail": true,
			"IncludeGlobalServiceEvents": true, "IsOrganizationTrail": false, "LogFileValidationEnabled": true, "HasCustomEventSelectors": true},
		Object{"IsLogging": true, "LatestDeliveryTime": 1.7e9},
		Object{"TrailARN": arn, "EventSelectors": []Object{{"ReadWriteType": "All", "IncludeManagementEvents": true, "ExcludeManagementEventSources": []string{},
			"DataResources": []Object{{"Type": "AWS::S3::Object", "Values": []string{"arn:aws:s3"}}}}}},
	}
}

// Change changes a trail.
func (s *Server) Change(arn string, change func(*Trail)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.trails[arn])
}

// Drop deletes a trail.
func (s *Server) Drop(arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.trails, arn)
}

// Join puts the account into an organization.
func (s *Server) Join(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.org = id
}

// Fail has calls refused: a status of 0 refuses none.
func (s *Server) Fail(how func(operation string) (status int, code, message string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = how
}

// Calls are the operations since the last time that this was asked.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// ServeHTTP speaks AWS's JSON 1.1 protocol: the operation stands in X-Amz-Target, an error's code in __type.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	target := r.Header.Get("X-Amz-Target")
	operation := target[strings.LastIndex(target, ".")+1:]
	s.calls = append(s.calls, operation)
	answer := func(status int, body Object) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(body)
	}
	if status, code, message := s.fail(operation); status != 0 {
		answer(status, Object{"__type": code, "message": message})
		return
	}
	var in struct{ Name, TrailName string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		answer(http.StatusBadRequest, Object{"__type": "SerializationException", "message": err.Error()})
		return
	}
	if operation == "DescribeOrganization" && strings.HasPrefix(target, "AWSOrganizationsV20161128.") {
		if s.org == "" {
			answer(http.StatusBadRequest, Object{"__type": "AWSOrganizationsNotInUseException", "message": "Your account is not a member of an organization."})
			return
		}
		answer(http.StatusOK, Object{"Organization": Object{"Id": s.org, "FeatureSet": "ALL"}})
		return
	}
	if !strings.HasSuffix(target, "CloudTrail_20131101."+operation) {
		answer(http.StatusBadRequest, Object{"__type": "UnknownOperationException", "message": target})
		return
	}
	t := s.trails[in.Name+in.TrailName]
	if t == nil {
		answer(http.StatusBadRequest, Object{"__type": "TrailNotFoundException", "message": "Unknown trail: " + in.Name + in.TrailName})
		return
	}
	switch operation {
	case "GetTrail":
		answer(http.StatusOK, Object{"Trail": t.Trail})
	case "GetTrailStatus":
		answer(http.StatusOK, t.Status)
	case "GetEventSelectors":
		answer(http.StatusOK, t.Selectors)
	default:
		answer(http.StatusBadRequest, Object{"__type": "UnknownOperationException", "message": target})
	}
}
