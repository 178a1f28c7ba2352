//! The page of a run: timeline of every scene and the search narrowing to one step, in one self-contained file.
//!
//! No script, no outside resource. Everything written into the page is escaped.

use crate::report::{DemoReport, Narrowing, Outcome, SceneReport, Who};
use std::fmt::Write as _;

const STYLE: &str = "
:root{--ink:#1c1b22;--dim:#6a6775;--line:#dcd8e4;--op:#b4541a;--wt:#17617a;--us:#5b6b2f;--bad:#a2162b;--good:#2b7a3b;--bg:#fbfaf7}
@media(prefers-color-scheme:dark){:root{--ink:#eceaf2;--dim:#a09cae;--line:#3a3744;--op:#f0935a;--wt:#68bfdc;--us:#b5c77f;--bad:#ff7a8c;--good:#7fd492;--bg:#17161b}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--bg);margin:2rem auto;max-width:68rem;padding:0 1rem}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{margin-top:2.6rem;font-size:1.2rem}p.sub{color:var(--dim);margin-top:0}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{text-align:left;color:var(--dim);font-weight:500}td,th{padding:.25rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right}code{font:12.5px ui-monospace,monospace;word-break:break-all}
pre{font:12.5px/1.45 ui-monospace,monospace;overflow-x:auto;border-left:3px solid var(--line);padding-left:.8rem}
.operator{color:var(--op)}.watchtower{color:var(--wt)}.user{color:var(--us)}.note{color:var(--dim)}
.tag{font-weight:600}.operator_paid{color:var(--good)}.operator_slashed,.watchtower_slashed{color:var(--bad)}
svg{width:100%;height:auto;margin:.6rem 0}.scroll{overflow-x:auto}
";

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Groups the digits of a number by thousands.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Who ended how, in words.
pub fn outcome_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::OperatorPaid => "operator paid",
        Outcome::OperatorSlashed => "operator slashed",
        Outcome::WatchtowerSlashed => "watchtower slashed",
    }
}

/// The search as a picture: one bar a round, cut in its parts, the chosen part widened into the next bar.
fn narrowing(search: &[Narrowing]) -> String {
    const W: f64 = 1000.0;
    const ROW: f64 = 46.0;
    const BAR: f64 = 20.0;
    const LEFT: f64 = 120.0;
    let width = W - LEFT;
    let height = search.len() as f64 * ROW + 30.0;
    let mut svg =
        format!("<svg viewBox=\"0 0 {W} {height}\" role=\"img\" aria-label=\"the search, round by round\">");
    for (i, round) in search.iter().enumerate() {
        let y = i as f64 * ROW + 4.0;
        let part = width / round.parts as f64;
        let _ = write!(
            svg,
            "<text x=\"0\" y=\"{:.1}\" fill=\"currentColor\" font-size=\"12\">{} steps</text>",
            y + 14.0,
            thousands(round.len)
        );
        for p in 0..round.parts {
            let (fill, opacity) = if p == round.choice {
                ("var(--bad)", "0.85")
            } else {
                ("var(--wt)", "0.22")
            };
            let _ = write!(
                svg,
                "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{fill}\" fill-opacity=\"{opacity}\"/>",
                LEFT + p as f64 * part,
                (part - 1.5).max(0.5)
            );
        }
        let x0 = LEFT + round.choice as f64 * part;
        let _ = write!(
            svg,
            "<path d=\"M{x0:.1} {b:.1} L{LEFT} {n:.1} L{W} {n:.1} L{x1:.1} {b:.1} Z\" fill=\"var(--bad)\" fill-opacity=\"0.10\"/>",
            b = y + BAR,
            n = y + ROW,
            x1 = x0 + part
        );
    }
    if let Some(last) = search.last() {
        let step = last.from + last.choice * (last.len / last.parts.max(1));
        let _ = write!(
            svg,
            "<text x=\"{LEFT}\" y=\"{:.1}\" fill=\"currentColor\" font-size=\"13\">one step left: {}</text>",
            height - 8.0,
            thousands(step)
        );
    }
    svg.push_str("</svg>");
    svg
}

fn scene(out: &mut String, s: &SceneReport) {
    let _ = write!(
        out,
        "<h2 id=\"{id}\">{title}</h2><p class=\"sub\"><span class=\"tag {o}\">{ow}</span>, {m} transactions, operator {vo} vB / {fo} sat, watchtower {vw} vB / {fw} sat",
        id = escape(&s.name),
        title = escape(&s.title),
        o = s.outcome.name(),
        ow = outcome_words(s.outcome),
        m = s.messages,
        vo = thousands(s.vbytes_operator),
        fo = thousands(s.fees_operator.to_sat()),
        vw = thousands(s.vbytes_watchtower),
        fw = thousands(s.fees_watchtower.to_sat()),
    );
    if let Some(step) = s.disputed_step {
        let _ = write!(out, "; step {} of {}", thousands(step), thousands(s.steps));
    }
    out.push_str("</p>");
    if let Some(text) = &s.disputed_instruction {
        let _ = write!(
            out,
            "<p>The disputed step, as the operator opened it:</p><pre>{}</pre>",
            escape(text)
        );
    }
    if let Some(leaf) = &s.disproved_by {
        let _ = write!(out, "<p>Convicted by leaf <code>{}</code></p>", escape(leaf));
    }
    if !s.search.is_empty() {
        out.push_str(&narrowing(&s.search));
    }
    out.push_str("<div class=\"scroll\"><table><tr><th class=\"n\">block</th><th>who</th><th>transaction</th><th class=\"n\">vB</th><th class=\"n\">fee, sat</th><th>txid</th></tr>");
    for e in &s.timeline {
        let _ = write!(
            out,
            "<tr><td class=\"n\">{}</td><td class=\"{w}\">{w}</td><td>{}<div class=\"note\">{}</div></td><td class=\"n\">{}</td><td class=\"n\">{}</td><td><code>{}</code></td></tr>",
            e.height,
            escape(&e.transaction),
            escape(&e.note),
            thousands(e.vbytes),
            thousands(e.fee.to_sat()),
            e.txid,
            w = e.who.name(),
        );
    }
    out.push_str("</table></div>");
}

/// The whole page.
pub fn page(report: &DemoReport) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>Tapestry: a claim and its disputes</title><style>{STYLE}</style></head><body><h1>A claim and its disputes</h1><p class=\"sub\">Every transaction below was accepted by a regtest bitcoind under default policy and mined.</p>"
    );
    out.push_str("<table><tr><th>scene</th><th>outcome</th><th class=\"n\">transactions</th><th class=\"n\">operator vB</th><th class=\"n\">watchtower vB</th><th class=\"n\">disputed step</th></tr>");
    for s in &report.scenes {
        let _ = write!(
            out,
            "<tr><td><a href=\"#{id}\">{id}</a></td><td class=\"tag {o}\">{ow}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            s.messages,
            thousands(s.vbytes_operator),
            thousands(s.vbytes_watchtower),
            s.disputed_step.map_or("–".into(), thousands),
            id = escape(&s.name),
            o = s.outcome.name(),
            ow = outcome_words(s.outcome),
        );
    }
    out.push_str("</table>");
    for s in &report.scenes {
        scene(&mut out, s);
    }
    let legend = [Who::User, Who::Operator, Who::Watchtower]
        .map(|w| format!("<span class=\"{n}\">{n}</span>", n = w.name()))
        .join(", ");
    let _ = writeln!(out, "<p class=\"sub\">{legend}</p></body></html>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
    }

    #[test]
    fn thousands_are_grouped() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (16_777_216, "16,777,216"),
        ] {
            assert_eq!(thousands(n), text);
        }
    }

    #[test]
    fn every_part_is_drawn_and_the_last_step_named() {
        let search = [
            Narrowing {
                round: 0,
                from: 0,
                len: 64,
                parts: 8,
                choice: 5,
            },
            Narrowing {
                round: 1,
                from: 40,
                len: 8,
                parts: 8,
                choice: 2,
            },
        ];
        let svg = narrowing(&search);
        assert_eq!(svg.matches("<rect").count(), 16);
        assert_eq!(svg.matches("fill-opacity=\"0.85\"").count(), 2);
        assert!(svg.contains("one step left: 42"), "{svg}");
    }
}
