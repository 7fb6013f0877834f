//! Approvals and delegations, as they are shown.
use crate::output::{Detail, Row};
use crate::{paint, show};
use fleet_types::approval::{
    Answered, Delegation, FieldKind, Means, Phase, Sla, SlaState, Subject, Urgency, View,
};
use fleet_types::permit::Request;
use serde::Serialize;

/// An approval.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Shown(pub View);

impl Shown {
    fn state(&self) -> String {
        let word = self.0.state.as_str();
        let told = match self.0.state {
            Phase::Open => paint::waiting(word),
            Phase::Approved => paint::good(word),
            Phase::Rejected => paint::bad(word),
            Phase::Moot => word.to_owned(),
        };
        match self.0.by {
            Some(Means::Deadline) => format!("{told} by its deadline"),
            Some(Means::Answers) | None => told,
        }
    }

    fn request(&self) -> &Request {
        let Subject::Permit { request, .. } = &self.0.subject;
        request
    }

    fn urgency(&self) -> String {
        let word = show::word(&self.0.urgency);
        match self.0.urgency {
            Urgency::Low | Urgency::Normal => word,
            Urgency::High => paint::waiting(&word),
            Urgency::Critical => paint::bad(&word),
        }
    }

    fn voices(&self) -> String {
        format!("{}/{}", self.0.approvals, self.0.needed)
    }

    fn deadline(&self) -> String {
        match (self.0.state, self.0.deadline) {
            (Phase::Open, Some(at)) => show::relative(at),
            (Phase::Open | Phase::Approved | Phase::Rejected | Phase::Moot, _) => "-".to_owned(),
        }
    }
}

fn sla(sla: &Sla) -> String {
    match sla.state {
        SlaState::Pending => format!("due {}", show::relative(sla.due_at)),
        SlaState::Within => paint::good("within"),
        SlaState::Breached => paint::bad("breached"),
    }
}

/// `user:k1 approve, 2m ago: fine (cost-centre=4711)`.
fn voice(voice: &Answered) -> String {
    let option = voice.option.as_str();
    let mut text = match voice.approves {
        true => format!("{} {}", voice.person, paint::good(option)),
        false => format!("{} {}", voice.person, paint::bad(option)),
    };
    if let Some(other) = &voice.in_place_of {
        text += &format!(" in place of {other}");
    }
    text += &format!(", {}", show::relative(voice.at));
    if !voice.comment.is_empty() {
        text += &format!(": {}", voice.comment);
    }
    let fields: Vec<String> = voice
        .fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !fields.is_empty() {
        text += &format!(" ({})", fields.join(" "));
    }
    text
}

/// `approve (approves)`, a line each.
fn options(view: &View) -> String {
    let options = view.options.iter().map(|option| {
        let does = if option.approves {
            "approves"
        } else {
            "rejects"
        };
        match option.label.is_empty() {
            true => format!("{} ({does})", option.id),
            false => format!("{} ({does}): {}", option.id, option.label),
        }
    });
    options.collect::<Vec<_>>().join("\n")
}

/// `cost-centre number, required: who pays`, a line each.
fn fields(view: &View) -> String {
    let fields = view.terms.fields.iter().map(|field| {
        let kind = match &field.kind {
            FieldKind::Text => "text".to_owned(),
            FieldKind::Number => "number".to_owned(),
            FieldKind::Boolean => "true or false".to_owned(),
            FieldKind::Choice(values) => format!("one of {}", show::list(values)),
        };
        let needed = if field.required { ", required" } else { "" };
        match field.label.is_empty() {
            true => format!("{} {kind}{needed}", field.id),
            false => format!("{} {kind}{needed}: {}", field.id, field.label),
        }
    });
    fields.collect::<Vec<_>>().join("\n")
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &[
        "APPROVAL", "STATE", "URGENCY", "ASKER", "ACTION", "QUESTION", "ASKED OF", "VOICES",
        "ASKED", "DEADLINE",
    ];
    fn cells(&self) -> Vec<String> {
        let view = &self.0;
        vec![
            view.approval.to_string(),
            self.state(),
            self.urgency(),
            view.asker.agent.to_string(),
            self.request().action.to_string(),
            view.question.to_string(),
            show::asked_of(&view.assignees, view.needed),
            self.voices(),
            show::relative(view.asked_at),
            self.deadline(),
        ]
    }
    fn name(&self) -> String {
        self.0.approval.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let (view, terms, request) = (&self.0, &self.0.terms, self.request());
        let Subject::Permit { permit, .. } = &view.subject;
        let mut lines = vec![
            ("approval", format!("{} {}", view.approval, self.state())),
            ("question", view.question.to_string()),
            ("asker", view.asker.agent.to_string()),
            ("permit", permit.to_string()),
            ("action", request.action.to_string()),
        ];
        let mut more = |name: &'static str, text: String| {
            if !text.is_empty() {
                lines.push((name, text));
            }
        };
        let paths: Vec<&str> = request
            .resources
            .iter()
            .map(|it| it.path.as_str())
            .collect();
        more("resources", paths.join("\n"));
        let arguments = request.parameters.as_deref().into_iter().flatten();
        let arguments: Vec<String> = arguments.map(|(k, v)| format!("{k}={v}")).collect();
        more("arguments", arguments.join("\n"));
        if !request.cost.is_zero() {
            more("cost", show::cost(&request.cost));
        }
        let lists = |risks: &[fleet_types::Text]| {
            let risks: Vec<&str> = risks.iter().map(fleet_types::Text::as_str).collect();
            risks.join("\n")
        };
        more("wanted by", view.source.to_string());
        more("context", terms.context.to_string());
        more("risks", lists(&terms.risks));
        more("impact", terms.impact.to_string());
        let recommended = terms.recommendation.as_ref().map(ToString::to_string);
        more("recommended", recommended.unwrap_or_default());
        if let Some(about) = &view.about {
            more("asker says", about.context.to_string());
            more("its risks", lists(&about.risks));
            more("its impact", about.impact.to_string());
            more("it would", about.recommendation.to_string());
        }
        more("options", options(view));
        more("fields", fields(view));
        more("asked of", show::asked_of(&view.assignees, view.needed));
        more("voices", self.voices());
        let voices: Vec<String> = view.answers.iter().map(voice).collect();
        more("answers", voices.join("\n"));
        let comments = view
            .comments
            .iter()
            .map(|it| format!("{}, {}: {}", it.person, show::relative(it.at), it.comment));
        more("comments", comments.collect::<Vec<_>>().join("\n"));
        more("urgency", self.urgency());
        more("asked", show::absolute(view.asked_at));
        if let (Phase::Open, Some(at)) = (view.state, view.deadline) {
            let text = format!("{} ({})", show::relative(at), show::absolute(at));
            more("deadline", text);
        }
        more("sla", view.sla.as_ref().map(sla).unwrap_or_default());
        if view.round > 1 {
            more("round", view.round.to_string());
        }
        if let Some(at) = view.ended_at {
            more("ended", show::absolute(at));
        }
        lines
    }
    fn name(&self) -> String {
        self.0.approval.to_string()
    }
}

/// A delegation.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Delegated(pub Delegation);

impl Row for Delegated {
    const COLUMNS: &'static [&'static str] = &["FROM", "TO", "UNTIL", "REASON"];
    fn cells(&self) -> Vec<String> {
        vec![
            self.0.from.to_string(),
            self.0.to.to_string(),
            show::relative(self.0.until),
            self.0.reason.to_string(),
        ]
    }
    fn name(&self) -> String {
        self.0.from.to_string()
    }
}
