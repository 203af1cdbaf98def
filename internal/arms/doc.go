// Package arms names the networks that a round trains and judges beside its candidate, and says what each one is. Trainer, domain,
// pages, API and command line read its table.
//
// What a person's maps are worth is the difference between the candidate and the strongest network without them (docs/training.md).
package arms
