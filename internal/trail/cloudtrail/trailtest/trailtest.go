// Package trailtest is a fake of CloudTrail's trails and of Organizations, as far as a trail is read, that remembers what they are:
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Operations.html
package trailtest

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"nightlatch/internal/awstest"
)

// Object is a JSON object.
type Object = map[string]any

// Server answers for the trails of one account and region.
type Server struct {
	cloudTrail, organizations *awstest.Service

	mu     sync.Mutex
	trails map[string]*Trail
	stores map[string]Object
	org    string
	fail   func(operation string) awstest.Fault
	calls  []string
}

// Trail is a trail as AWS shows it: what GetTrail, GetTrailStatus and GetEventSelectors answer.
type Trail struct{ Trail, Status, Selectors Object }

// New has no trails, and an account in no organization.
func New() *Server {
	s := &Server{trails: map[string]*Trail{}, stores: map[string]Object{}, fail: func(string) awstest.Fault { return awstest.Fault{} }}
	s.cloudTrail = &awstest.Service{Target: "CloudTrail_20131101", Scope: "cloudtrail", Came: s.came, Do: s.do}
	s.organizations = &awstest.Service{Target: "AWSOrganizationsV20161128", Scope: "organizations", Came: s.came, Do: s.do}
	return s
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

// MakeStore makes an event data store, as GetEventDataStore answers it.
func (s *Server) MakeStore(arn string, selectors ...Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stores[arn] = Object{"EventDataStoreArn": arn, "Status": "ENABLED", "MultiRegionEnabled": true, "AdvancedEventSelectors": selectors}
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

// Fail has calls fail: the zero Fault fails none.
func (s *Server) Fail(how func(operation string) awstest.Fault) {
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

// ServeHTTP is both services.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.Header.Get("X-Amz-Target"), s.organizations.Target+".") {
		s.organizations.ServeHTTP(w, r)
		return
	}
	s.cloudTrail.ServeHTTP(w, r)
}

func (s *Server) came(r awstest.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, r.Operation)
}

func (s *Server) do(r awstest.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fault := s.fail(r.Operation); fault != (awstest.Fault{}) {
		return nil, fault
	}
	if r.Operation == "DescribeOrganization" {
		if s.org == "" {
			return nil, awstest.Fault{Code: "AWSOrganizationsNotInUseException", Message: "Your account is not a member of an organization."}
		}
		return Object{"Organization": Object{"Id": s.org, "FeatureSet": "ALL"}}, nil
	}
	var in struct{ Name, TrailName, EventDataStore string }
	if err := json.Unmarshal(r.Body, &in); err != nil {
		return nil, awstest.Fault{Code: "SerializationException", Message: err.Error()}
	}
	if home := strings.Split(in.Name+in.TrailName+":::", ":")[3]; home != "" && home != r.Region { // nothing is asked of a shadow
		return nil, awstest.Fault{Code: "InvalidHomeRegionException", Message: "The trail's home is " + home + ", and not " + r.Region}
	}
	if r.Operation == "GetEventDataStore" {
		if store := s.stores[in.EventDataStore]; store != nil {
			return store, nil
		}
		return nil, awstest.Fault{Code: "EventDataStoreNotFoundException", Message: "no"}
	}
	t := s.trails[in.Name+in.TrailName]
	if t == nil {
		return nil, awstest.Fault{Code: "TrailNotFoundException", Message: "Unknown trail: " + in.Name + in.TrailName}
	}
	switch r.Operation {
	case "GetTrail":
		return Object{"Trail": t.Trail}, nil
	case "GetTrailStatus":
		return t.Status, nil
	case "GetEventSelectors":
		return t.Selectors, nil
	}
	return nil, awstest.Fault{Code: "UnknownOperationException", Message: r.Operation}
}
