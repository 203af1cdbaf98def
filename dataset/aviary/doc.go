// Package aviary makes the demo's data: fourteen birds in four painted scenes, by a seeded generator
// that knows where each bird is. In the training split the scene gives the bird away 95 times in
// a hundred, in the others it does not, so that a classifier trained on it is right for the
// wrong reason: the standard way (Waterbirds, Sagawa et al. 2020) to have something to teach.
//
//	bird.go      the birds and scenes, and which bird lives where
//	plan.go      which picture shows what: splits, counts, balance
//	picture.go   one picture and its mask
//	scene.go     painted scenes
//	canvas.go    the pixels, and what is drawn on them
//	sprite.go    birds and props, scaled, turned and tinted
//	random.go    the random numbers
//	generate.go  Generate: the image folder
//	edit.go      EditFromMask: the map a person who paints the bird would leave
//	model.go     Model: the network trained on it, and its manifest
//
// Pictures are the same to the bit on every machine and however many cores draw them: all drawing is
// in integers, and each picture draws its random numbers from its own name and the seed.
//
// The birds and props are pictures under the MIT License, see LICENSE and SOURCES.
package aviary
