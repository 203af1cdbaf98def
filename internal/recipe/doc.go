// Package recipe is the one home of a training's settings: their names, bounds, defaults and descriptions. The trainer, the domain,
// the database and the API share the struct. The form of a round, the API's schema, the flags of the command line and the table of
// docs/training.md are made of the table of fields. So all of them accept the same values and refuse others in the same words.
//
//	settings.go  Settings, and the words that some of them are chosen from
//	fields.go    the table: an entry for each setting
//	field.go     what an entry says
//	validate.go  Validate: bounds, and the rules between two settings
//	value.go     values by name: defaults, texts of a form, JSON
//	way.go       in what ways a network can be trained, by which engines
//	markdown.go  the table of docs/training.md; page/ writes it
//
// A new setting is a field of Settings and an entry of Fields. Flag, form, API, schema, record, checks and documentation follow;
// what it does is the trainer's to write.
//
// 0 means 0: it is used if it is in bounds, refused if it is not, and never stands for the default. The studio chooses a setting
// that is left out or given as the word auto.
package recipe
