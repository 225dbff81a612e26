package phone

import "time"

// JobState says how a job as a whole stands.
type JobState string

// The states of a job. Those of a job that has not ended are running, paused and
// halted; phones that were under way go on in all of them.
const (
	JobRunning JobState = "running"
	JobPaused  JobState = "paused"  // an administrator stopped it; it can go on
	JobHalted  JobState = "halted"  // too many phones failed; it can go on
	JobAborted JobState = "aborted" // an administrator ended it
	JobDone    JobState = "done"    // every phone has its outcome
)

// Ended reports whether nothing more is begun, ever.
func (s JobState) Ended() bool { return s == JobAborted || s == JobDone }

// Job is something done to phones in waves: resync, reboot, new firmware.
type Job struct {
	ID    string            // "job_" and an opaque part
	Kind  string            // which task, e.g. "resync"
	Args  map[string]string // what the task needs to know; no secrets
	Waves Waves
	Node  string // which node of several runs it

	State     JobState
	Reason    string    // one sentence: why it halted or was aborted
	Wave      int       // the one under way, from 0
	WaveAt    time.Time // when it begins or began
	Forgiven  int       // failures of this wave that an administrator has waved through
	CreatedAt time.Time
	EndedAt   time.Time // zero: phones are under way or wait
	Counts    JobCounts
}

// JobCounts says how many phones of a job are in which state.
type JobCounts struct {
	Total, Waiting, Working, Succeeded, Failed, Skipped int
}

// Waves says in what portions and how fast the phones of a job are taken.
type Waves struct {
	Canary   int           // phones of the first wave; 0: there is none
	Percents []int         // how many of all phones are done after each further wave, ascending; empty: 100
	Jitter   time.Duration // the phones of a wave begin at random moments within it
	Parallel int           // phones under way at once; 0: 50
	Patience time.Duration // for one phone from its beginning to its success; 0: 2 minutes
	Soak     time.Duration // between the end of a wave and the beginning of the next
	// HaltPercent is how many of a wave's phones may fail, rounded down; one more
	// halts the job. 0: the first failure does; 100: none does.
	HaltPercent int
	// Hold lets a job that halted stay so although no phone is left, until somebody says
	// whether that was well: resumed it is done, else aborted.
	Hold bool
}

// JobPhoneState says how one phone of a job stands.
type JobPhoneState string

// The states of a phone in a job.
const (
	PhoneWaiting   JobPhoneState = "waiting"
	PhoneWorking   JobPhoneState = "working"
	PhoneSucceeded JobPhoneState = "succeeded"
	PhoneFailed    JobPhoneState = "failed"
	PhoneSkipped   JobPhoneState = "skipped" // the job was aborted before its turn
)

// JobPhone is one phone of a job.
type JobPhone struct {
	JobID     string
	PhoneID   string
	Wave      int // from 0
	State     JobPhoneState
	DueAt     time.Time // zero: its wave has not begun
	StartedAt time.Time
	EndedAt   time.Time
	Outcome   string // the task's word, e.g. "applied"; while it works, how it would end now
	Reason    string // one sentence; may be empty
}
