//! How the pages look: one small style sheet, light or dark as the browser prefers. No script, no font and no picture is loaded.

/// The style sheet of every page.
pub(super) const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1f2328;--quiet:#59636e;--line:#d1d9e0;--box:#f6f8fa;--paper:#fff;--link:#0969da;\
--open:#1a7f37;--merged:#8250df;--closed:#cf222e;--added:#dafbe1;--removed:#ffebe9}\
@media(prefers-color-scheme:dark){:root{--text:#f0f6fc;--quiet:#9198a1;--line:#3d444d;--box:#151b23;--paper:#0d1117;--link:#4493f8;\
--open:#238636;--merged:#8957e5;--closed:#da3633;--added:#12261e;--removed:#25171c}}\
*{box-sizing:border-box}\
body{margin:0 auto;max-width:62rem;padding:1.5rem 1rem 4rem;background:var(--paper);color:var(--text);\
font:16px/1.55 system-ui,-apple-system,'Segoe UI',sans-serif;overflow-wrap:break-word}\
a{color:var(--link);text-decoration:none}a:hover,a:focus{text-decoration:underline}\
nav{color:var(--quiet);font-size:.9rem}\
h1{font-size:1.75rem;font-weight:500;line-height:1.25;margin:.4rem 0 .6rem}h1 span,.quiet{color:var(--quiet)}\
h2{font-size:1.2rem;margin:2rem 0 .6rem}\
.state{display:inline-block;border-radius:2rem;padding:.2rem .8rem;margin-right:.5rem;color:#fff;font-size:.875rem;font-weight:600}\
.open{background:var(--open)}.merged{background:var(--merged)}.closed{background:var(--closed)}\
.label{border:1px solid var(--line);border-radius:1rem;padding:.05rem .6rem;font-size:.8rem;margin-left:.3rem}\
article,form,details{border:1px solid var(--line);border-radius:.5rem;margin:1rem 0;overflow:hidden}\
article>header,details>summary{background:var(--box);border-bottom:1px solid var(--line);padding:.5rem 1rem;font-size:.9rem}\
body>details>summary{font-family:ui-monospace,monospace}details>summary{cursor:pointer}article details>:not(summary){padding-right:1rem}\
details:not([open])>summary{border-bottom:0}\
article:target{border-color:var(--link);box-shadow:0 0 0 2px var(--link)}\
article>div{padding:.25rem 1rem}\
article>footer{padding:0 1rem .6rem;font-size:.85rem;color:var(--quiet)}\
pre,code{font-family:ui-monospace,monospace;font-size:.85em}\
pre code{font-size:inherit}time{white-space:nowrap}\
figure{margin:1rem 0}figcaption{font-size:.85rem;color:var(--quiet)}\
.chart{display:block;width:100%;max-width:40rem;height:auto;font-size:13px}.chart text{fill:var(--quiet)}\
.chart polyline{fill:none;stroke:var(--closed);stroke-width:2.5;stroke-linejoin:round}.chart .axis{fill:none;stroke:var(--line)}\
pre{background:var(--box);padding:.8rem;border-radius:.4rem;overflow-x:auto}\
:not(pre)>code{background:var(--box);border-radius:.3rem;padding:.15em .35em}\
table{border-collapse:collapse;display:block;overflow-x:auto}th,td{border:1px solid var(--line);padding:.3rem .7rem;text-align:left}\
blockquote{margin:0;padding:0 1rem;color:var(--quiet);border-left:.25rem solid var(--line)}\
.diff{margin:0;padding:0;border-radius:0;background:none;line-height:1.4}.diff span{display:block;padding:0 1rem;white-space:pre}\
.diff .added{background:var(--added)}.diff .removed{background:var(--removed)}.diff .hunk{background:var(--box);color:var(--quiet)}\
form{padding:1rem;display:grid;gap:.7rem}form p{margin:0;display:flex;gap:.6rem;align-items:center;flex-wrap:wrap}\
label{font-weight:600}\
textarea{width:100%;min-height:7rem;font:inherit;padding:.6rem;border:1px solid var(--line);border-radius:.4rem;background:var(--paper);color:inherit}\
select{font:inherit;padding:.3rem .5rem}\
button{font:inherit;font-weight:600;padding:.4rem 1rem;border-radius:.4rem;border:1px solid var(--line);background:var(--box);color:inherit;cursor:pointer}\
button.main{background:var(--open);border-color:transparent;color:#fff}\
ul.checks{list-style:none;padding:0}";
