// Package aviary makes the demo's data: pictures of fourteen birds in four painted scenes, by a seeded generator that also writes a
// mask of each bird. In the training split 95 of 100 pictures show a bird in its home scene; in the other splits the scene tells
// nothing. A classifier trained on it therefore looks at the scene instead of the bird, as with Waterbirds (Sagawa et al. 2020), and
// edits of its maps have something to correct.
//
//	bird.go      the birds and scenes, and which bird lives where
//	plan.go      which picture shows what: splits, counts, balance
//	picture.go   one picture and its mask
//	scene.go     painted scenes
//	canvas.go    the pixels, and what is drawn on them
//	sprite.go    birds and props, scaled, turned and tinted
//	generate.go  Generate: the image folder
//	edit.go      EditFromMask: the map a person who paints the bird would leave
//	model.go     Model: the network trained on it, and its manifest
//
// Pictures are the same to the bit on every machine and however many cores draw them: all drawing is
// in integers, and each picture draws its random numbers from its own name and the seed.
//
// The birds and props are pictures under the MIT License, see LICENSE and SOURCES.
package aviary
