// Package recipe is the one home of a training's settings: what they are, what they may be, what they are where nobody says
// otherwise, and what they are called. The trainer, the domain, the database and the API share the struct; the form of a round,
// the API's schema, the flags of the command line and the table of docs/training.md are made of the table of fields. So what one
// of them takes no other refuses, and a refusal has the same words everywhere.
//
//	settings.go  Settings, and the words that some of them are chosen from
//	fields.go    the table: an entry for each setting
//	field.go     what an entry says
//	validate.go  Validate: bounds, and the rules between two settings
//	value.go     values by name: defaults, texts of a form, JSON
//	markdown.go  the table of docs/training.md; page/ writes it
//
// A new setting is a field of Settings and an entry of Fields. Flag, form, API, schema, record, checks and documentation follow;
// what it does is the trainer's to write.
//
// A number is what it says: 0 is used where it is in bounds and refused where it is not, and never stands for the default.
// What the studio is to choose is asked for by the word auto, or by leaving the setting out.
package recipe
