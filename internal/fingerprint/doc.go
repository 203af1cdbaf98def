// Package fingerprint tells which pictures look alike: copies that were saved again, made smaller or cut at their edges.
//
//	fingerprint.go  Of: 64 bits of a picture, a perceptual hash (pHash); Distance and what is near (ADR 25)
//	index.go        Index: those within a distance, among many, without comparing each with each
package fingerprint
