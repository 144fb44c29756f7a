package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"nightlatch/internal/enroll"
)

// A resource's id never changes. CloudFormation would take another one after an update for a replacement. It would have the old one deleted, and
// with it what the new one has just enrolled.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
const physicalID, trailID, storeID, managementID = "nightlatch-request-metrics", "nightlatch-trail", "nightlatch-store", "nightlatch-management-trail"

// trailType is the resource that finds a trail, and storeType the one that reads an event data store; every other one is about request metrics.
const trailType, storeType = "Custom::Trail", "Custom::Store"

// What is left of the invocation's time when the work ends, and when the answer can wait no longer. Notifying the team takes up to 15 seconds,
// and the answer up to three times answerTimeout.
const (
	workMargin   = 60 * time.Second
	answerMargin = 30 * time.Second
)

// resource does what CloudFormation asks, and answers in any case: otherwise the stack would wait for an hour. The error is only about the
// answer, so that nothing is done again that CloudFormation knows of.
func (e *enroller) resource(ctx context.Context, request cfn.Event) error {
	answer := cfn.Response{
		RequestID: request.RequestID, StackID: request.StackID, LogicalResourceID: request.LogicalResourceID, PhysicalResourceID: physicalID,
	}
	switch request.ResourceType {
	case trailType:
		answer.PhysicalResourceID = trailID
		if request.ResourceProperties["Management"] != nil {
			answer.PhysicalResourceID = managementID
		}
	case storeType:
		answer.PhysicalResourceID = storeID
	}
	last, cancel := until(ctx, answerMargin)
	defer cancel()
	data, err := e.attempt(last, ctx, request)
	answer.Status, answer.Data = cfn.StatusSuccess, data
	if err != nil {
		e.log.ErrorContext(ctx, "the custom resource failed", "request", request.RequestType, "err", err)
		answer.Status, answer.Reason, answer.Data = cfn.StatusFailed, cut(err.Error(), maxReason), nil
	}
	return e.answer(ctx, request.ResponseURL, answer)
}

// attempt is fulfil, or an error where that breaks or does not end.
func (e *enroller) attempt(last, ctx context.Context, request cfn.Event) (map[string]any, error) {
	type outcome struct {
		data map[string]any
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- outcome{nil, fmt.Errorf("the enroller broke (%v); report it as a bug", p)}
			}
		}()
		do := e.fulfil
		switch request.ResourceType {
		case trailType:
			do = e.lookUp
		case storeType:
			do = e.lookUpStore
		}
		data, err := do(ctx, request)
		done <- outcome{data, err}
	}()
	select {
	case o := <-done:
		return o.data, o.err
	case <-last.Done():
		return nil, errors.New("the time was over before it was done; see the enroller's log, and deploy again")
	}
}

// fulfil enrols and withdraws, and notifies the team of what refused. Only what leaves the whole resource undone is an error: wishes that
// cannot be read, buckets that cannot be listed, and time that was over.
func (e *enroller) fulfil(ctx context.Context, request cfn.Event) (map[string]any, error) {
	wanted, before, err := wishes(request)
	if err != nil {
		return nil, err
	}
	work, cancel := until(ctx, workMargin)
	defer cancel()
	r, err := enroll.Reconcile(work, e.metrics, e.region, wanted, before)
	if err != nil {
		return nil, err
	}
	e.report(ctx, r)
	if message, bad := notice(r, nil); bad {
		if err := e.notify(ctx, message); err != nil {
			e.log.ErrorContext(ctx, "the team was not notified", "err", err)
		}
	}
	if n := len(r.Unreached); n > 0 {
		return nil, fmt.Errorf("the time was over before %d buckets were done with, %q the first; deploy again", n, r.Unreached[0])
	}
	return data(r), nil
}

// wishes are what is wanted now, and what was until now. What is wanted must be right. What was is read as far as it goes: a stack can always be
// deleted, and goes back to where it came from.
func wishes(request cfn.Event) (wanted, before enroll.Wish, err error) {
	switch request.RequestType {
	case cfn.RequestCreate:
		wanted, err = wish(request.ResourceProperties)
	case cfn.RequestUpdate:
		before = once(request.OldResourceProperties)
		wanted, err = wish(request.ResourceProperties)
	case cfn.RequestDelete:
		before = once(request.ResourceProperties)
	default:
		err = fmt.Errorf("the request type %q is not Create, Update or Delete", request.RequestType)
	}
	return wanted, before, err
}

// until is a context that ends a while before another one does.
func until(ctx context.Context, margin time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-margin))
	}
	return context.WithCancel(ctx)
}
